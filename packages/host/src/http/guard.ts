/**
 * The guard at the HTTP door: a web page in a developer's browser must not reach the node.
 *
 * Two checks. `Host` must be a name this node answers for, else a page could rebind its own DNS
 * name to 127.0.0.1 and be "same origin". `Origin`, which browsers send with every cross-site POST,
 * must be the node's own or one that was allowed. Programs send neither trap: they pass.
 */

import { isLoopback } from "../exposure.ts";
import { hostErrors } from "../errors.ts";
import { shown } from "./shown.ts";

export interface GuardOptions {
  /** Address the node listens on. */
  readonly host: string;
  readonly allowedHosts: readonly string[];
  readonly allowedOrigins: readonly string[];
}

export interface Guard {
  /** @throws HTTP_HOST_REFUSED, HTTP_ORIGIN_REFUSED */
  check(headers: {
    readonly host?: string | undefined;
    readonly origin?: string | undefined;
  }): void;
  /** True for an origin of another site that may call. */
  isAllowedOrigin(origin: string): boolean;
}

export function createGuard(options: GuardOptions): Guard {
  const names = new Set([options.host, ...options.allowedHosts].map((name) => name.toLowerCase()));
  const origins = new Set(options.allowedOrigins.map((origin) => origin.toLowerCase()));
  // The same few Host values come with every request; the set is bounded against hostile ones.
  const passed = new Set<string>();

  const isKnownHost = (host: string): boolean => {
    if (passed.has(host)) return true;
    const name = hostnameOf(host);
    const known = name !== undefined && (isLoopback(name) || names.has(name));
    if (known && passed.size < 64) passed.add(host);
    return known;
  };

  return {
    isAllowedOrigin: (origin) => origins.has(origin.toLowerCase()),
    check({ host, origin }) {
      if (host === undefined) {
        throw hostErrors.HTTP_REQUEST_MALFORMED("The request has no Host header; add one.");
      }
      if (!isKnownHost(host)) {
        throw hostErrors.HTTP_HOST_REFUSED(
          `This node does not answer for the host ${shown(host)}; ` +
            "add it to http.allowedHosts if it should.",
        );
      }
      if (origin === undefined || origins.has(origin.toLowerCase())) return;
      const [scheme, authority] = origin.toLowerCase().split("://");
      const own = authority === host.toLowerCase() && (scheme === "http" || scheme === "https");
      if (own) return;
      throw hostErrors.HTTP_ORIGIN_REFUSED(
        `A page of ${shown(origin)} may not call this node; ` +
          "add it to http.allowedOrigins if it may.",
      );
    },
  };
}

/** `[::1]:7600` → `::1`, `example.org:80` → `example.org`; `undefined` when it is no host. */
function hostnameOf(host: string): string | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::\d{1,5})?$/.exec(host);
  return (match?.[1] ?? match?.[2])?.toLowerCase();
}
