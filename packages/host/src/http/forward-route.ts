/**
 * Operations of other nodes, for clients that speak HTTP alone: this node takes the request and
 * passes it on over the mesh. Who runs the service judges it, as if it had come in there.
 */

import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Endpoint } from "@banyan/mesh";
import type { HttpDoor } from "./door.ts";
import { endpointRoute, httpShape } from "./operation-route.ts";
import type { RouteHandler } from "./operation-route.ts";
import { sendError } from "./reply.ts";

/** What runs in other nodes. */
export interface Elsewhere {
  /** Whether another node runs the service, or did before: then one may again. */
  knows(service: string): boolean;
  /**
   * Its operation of this name, `admin.reset`.
   * @throws SERVICE_UNAVAILABLE, OPERATION_UNKNOWN, and why no node that runs it could be asked
   */
  find(service: string, operation: string): Promise<Endpoint>;
}

export interface ForwardOptions {
  readonly elsewhere: Elsewhere;
  readonly door: HttpDoor;
  /** Whether this node runs the service: then whatever is not served here is served nowhere. */
  readonly isOurs: (service: string) => boolean;
  /** Answers what nobody serves. */
  readonly refuse: (request: FastifyRequest, reply: FastifyReply) => void;
}

const path = "/:service/*";
const shape = httpShape({ method: "POST", route: path, status: 200 });

/** Below every route of this node: whatever it serves itself is not passed on. */
export function addForwarding(app: FastifyInstance, options: ForwardOptions): void {
  const { elsewhere, door, isOurs, refuse } = options;
  const routes = new WeakMap<Endpoint, RouteHandler>();
  const routeOf = (endpoint: Endpoint): RouteHandler => {
    const known = routes.get(endpoint) ?? endpointRoute(endpoint, door, shape);
    routes.set(endpoint, known);
    return known;
  };
  app.route<{ Params: { service: string; "*": string } }>({
    method: "POST",
    url: path,
    // Before the body is read.
    onRequest(request, reply, done) {
      const { service } = request.params;
      const isForOthers = !isOurs(service) && isPlain(request.raw.url);
      if (isForOthers && elsewhere.knows(service)) done();
      else refuse(request, reply);
    },
    handler(request, reply) {
      const { service, "*": rest } = request.params;
      elsewhere.find(service, rest.replaceAll("/", ".")).then(
        (endpoint) => routeOf(endpoint)(request, reply),
        (error: unknown) => sendError(reply, error, door),
      );
    },
  });
}

/** A path has one way of being written: `/shop/admin/reset`, no dots and nothing encoded. */
function isPlain(url = ""): boolean {
  return !/[.%]/.test(url.split("?", 1)[0] ?? "");
}
