/** The answer to a path or a method that nobody serves: what is nearest to it. */

import type { BanyanError } from "@banyan/kernel";
import { kernelErrors, nearest } from "@banyan/kernel/internal";
import { hostErrors } from "../errors.ts";
import { shown } from "./shown.ts";

/** What is served, as the not-found answer needs it. */
export interface RouteTable {
  /** Paths of operations by service: `/greeter/greet`. */
  readonly operations: ReadonlyMap<string, readonly string[]>;
  /** Methods by path, for everything with a fixed path. */
  readonly methods: ReadonlyMap<string, readonly string[]>;
  /** Raw routes, whose path may have parameters. */
  readonly raw: readonly RawPath[];
  /** Other nodes were asked too. */
  readonly isFleet: boolean;
}

export interface RawPath {
  /** As declared: `/files/:name`. */
  readonly path: string;
  readonly methods: readonly string[];
}

/** The error for a request that matched no route, and the methods to allow for a known path. */
export function notFoundError(
  method: string,
  url: string,
  table: RouteTable,
): { error: BanyanError; allow?: string } {
  const path = url.split("?", 1)[0] ?? "/";
  const allowed = allowedAt(path, table);
  if (allowed.length > 0) return methodRefused(method, path, allowed);
  const [, service = "", ...rest] = path.split("/");
  const operations = table.operations.get(service);
  if (operations !== undefined && rest.length > 0) {
    return { error: unknownOperation(service, { path, rest, operations }) };
  }
  if (rest.length > 0 && /^[A-Za-z][A-Za-z0-9-]*$/.test(service)) {
    return { error: unknownService(service, table) };
  }
  return {
    error: hostErrors.HTTP_ROUTE_UNKNOWN(
      `Nothing is served at ${shown(path)}; GET /docs lists what is.`,
    ),
  };
}

/** The error for a path that is served by other methods. */
export function methodRefused(
  method: string,
  path: string,
  allowed: readonly string[],
): { error: BanyanError; allow: string } {
  const allow = allowed.join(", ");
  const error = hostErrors.HTTP_METHOD_NOT_ALLOWED(
    `${path} is called with ${allow}, not with ${method}.`,
  );
  return { error, allow };
}

function allowedAt(path: string, { methods, raw }: RouteTable): readonly string[] {
  const matching = raw.filter((route) => fits(path, route.path)).flatMap((route) => route.methods);
  return [...(methods.get(path) ?? []), ...matching];
}

/** Whether a path is one of a pattern such as `/files/:name`. */
export function fits(path: string, pattern: string): boolean {
  const segments = path.split("/");
  const wanted = pattern.split("/");
  if (segments.length !== wanted.length) return false;
  return wanted.every((each, index) => each.startsWith(":") || each === segments[index]);
}

function unknownOperation(
  service: string,
  { path, rest, operations }: { path: string; rest: string[]; operations: readonly string[] },
): BanyanError {
  const meant = nearest(path, operations);
  const hint = meant === undefined ? "" : ` The nearest one is POST ${meant}.`;
  return kernelErrors.OPERATION_UNKNOWN(
    `The service "${service}" has no operation ${shown(rest.join("."))}.${hint}`,
  );
}

function unknownService(service: string, { operations, isFleet }: RouteTable): BanyanError {
  const meant = nearest(service.toLowerCase(), [...operations.keys()]);
  const hint = meant === undefined ? "" : ` The nearest one is "${meant}".`;
  const who = isFleet ? "No node that this one can call runs a" : "This node runs no";
  return kernelErrors.SERVICE_UNKNOWN(`${who} service ${shown(service)}.${hint}`);
}
