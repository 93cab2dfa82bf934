/**
 * Operations of other nodes, for clients that speak HTTP alone: this node takes the request and
 * passes it on over the mesh. Who runs the service judges it, as if it had come in there.
 *
 * W1. What its node refuses before it reads a body is refused here before one is read, with the
 *     same status, code and headers: another method, an unknown operation, a body that is too long.
 */

import type { Readable } from "node:stream";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Endpoint } from "@banyan/mesh";
import { parseJsonBody } from "./body.ts";
import type { HttpDoor } from "./door.ts";
import { methodRefused } from "./not-found.ts";
import { endpointRoute, httpShape } from "./operation-route.ts";
import type { RouteHandler } from "./operation-route.ts";
import { sendError } from "./reply.ts";
import { bodyEndedEarly, bodyTooLarge } from "./request-error.ts";

/** An operation of another node, and what its door says of it. */
export interface Passed {
  readonly endpoint: Endpoint;
  /** Longest body; `undefined`: its node does not say, so it is as long as here. */
  readonly payloadBytesMax: number | undefined;
}

/** What runs in other nodes. */
export interface Elsewhere {
  /** Whether another node runs the service, or did before: then one may again. */
  knows(service: string): boolean;
  /**
   * Its operation at this path within it, `admin/reset`.
   * @throws SERVICE_UNAVAILABLE, OPERATION_UNKNOWN, and why no node that runs it could be asked
   */
  find(service: string, path: string): Promise<Passed>;
  /** @throws OPERATION_UNKNOWN where a raw exchange of another node has that path */
  refuseRaw(path: string): Promise<void>;
}

export interface ForwardOptions {
  readonly elsewhere: Elsewhere;
  readonly door: HttpDoor;
  readonly bodyBytesMax: number;
  /** Whether this node runs the service: then whatever is not served here is served nowhere. */
  readonly isOurs: (service: string) => boolean;
}

/** Answers what nobody here serves. */
export type Refusal = (request: FastifyRequest, reply: FastifyReply) => void;

const path = "/:service/*";
const shape = httpShape({ method: "POST", route: path, status: 200 });

/** Below every route of this node: whatever it serves itself is not passed on. */
export function addForwarding(
  app: FastifyInstance,
  refuse: Refusal,
  options: ForwardOptions,
): void {
  const { elsewhere, door, bodyBytesMax } = options;
  const routes = new WeakMap<Endpoint, RouteHandler>();
  const routeOf = (endpoint: Endpoint): RouteHandler => {
    const known = routes.get(endpoint) ?? endpointRoute(endpoint, door, shape);
    routes.set(endpoint, known);
    return known;
  };
  const passed = new WeakMap<FastifyRequest, Passed>();
  app.register((scope, _options, registered) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser(
      "application/json",
      async (request: FastifyRequest, payload: Readable) => {
        const limitBytes = passed.get(request)?.payloadBytesMax ?? bodyBytesMax;
        return parseJsonBody(await readBody(request, payload, limitBytes));
      },
    );
    scope.route({
      method: "POST",
      url: path,
      // Before the body is read.
      onRequest(request, reply, goOn) {
        const [service, rest] = targetOf(request);
        if (!isTheirs(service, options)) {
          refuse(request, reply);
          return;
        }
        elsewhere.find(service, rest).then(
          (found) => {
            passed.set(request, found);
            goOn();
          },
          (error: unknown) => sendError(reply, error, door),
        );
      },
      handler(request, reply) {
        const found = passed.get(request);
        if (found === undefined) refuse(request, reply);
        else routeOf(found.endpoint)(request, reply);
      },
    });
    registered();
  });
}

/** Asks the other nodes about what this one does not serve; `refuse` answers where they do not. */
export function refuseInFleet(
  [request, reply]: Parameters<Refusal>,
  refuse: () => void,
  options: ForwardOptions,
): void {
  const { elsewhere, door, isOurs } = options;
  const [service, rest] = targetOf(request);
  if (isOurs(service)) {
    refuse();
    return;
  }
  const isTheirOperation = rest !== "" && isTheirs(service, options);
  const asked = isTheirOperation
    ? refuseMethod(elsewhere.find(service, rest), request, reply)
    : elsewhere.refuseRaw(plainPath(request));
  asked.then(refuse, (error: unknown) => sendError(reply, error, door));
}

async function refuseMethod(
  found: Promise<Passed>,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  await found;
  const { error, allow } = methodRefused(request.method, plainPath(request), ["POST"]);
  reply.header("allow", allow);
  throw error;
}

function isTheirs(service: string, { isOurs, elsewhere }: ForwardOptions): boolean {
  return !isOurs(service) && elsewhere.knows(service);
}

/**
 * Service and path within it, as they were sent: a path has one way of being written,
 * `/shop/admin/reset`, so one with dots or escapes is no operation's.
 */
function targetOf(request: FastifyRequest): [service: string, rest: string] {
  const [, service = "", ...rest] = plainPath(request).split("/");
  return [service, rest.join("/")];
}

function plainPath({ raw }: FastifyRequest): string {
  return (raw.url ?? "/").split("?", 1)[0] ?? "/";
}

/** As Fastify reads one, with a bound that is not the same for every request of a route. */
async function readBody(
  request: FastifyRequest,
  payload: Readable,
  limitBytes: number,
): Promise<Buffer> {
  if (Number(request.headers["content-length"]) > limitBytes) throw bodyTooLarge(limitBytes);
  const chunks: Buffer[] = [];
  let size = 0;
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  payload.on("data", (chunk: Buffer) => {
    size += chunk.length;
    if (size <= limitBytes) chunks.push(chunk);
    else reject(bodyTooLarge(limitBytes));
  });
  payload.once("end", () => resolve(Buffer.concat(chunks, Math.min(size, limitBytes))));
  payload.once("error", () => reject(bodyEndedEarly()));
  return promise;
}
