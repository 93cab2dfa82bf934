/**
 * Operations of other nodes, for clients that speak HTTP alone: this node takes the request and
 * passes it on over the mesh. Who runs the service judges it, as if it had come in there.
 */

import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { BanyanError } from "@banyan/kernel";
import { kernelErrors } from "@banyan/kernel/internal";
import type { Endpoint } from "@banyan/mesh";
import type { HttpDoor } from "./door.ts";
import { endpointRoute, httpShape } from "./operation-route.ts";
import type { RouteHandler } from "./operation-route.ts";
import { sendError } from "./reply.ts";

/** What runs in other nodes. */
export interface Elsewhere {
  /** Whether another node runs the service now. */
  runs(service: string): boolean;
  /** Whether one did before: then it may again. */
  wasThere(service: string): boolean;
  /**
   * Its operation of this name, `admin.reset`.
   * @throws OPERATION_UNKNOWN, and why the node that runs it could not be asked
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

/** Below every route of this node: whatever it serves itself is not passed on. */
export function addForwarding(app: FastifyInstance, options: ForwardOptions): void {
  const { elsewhere, door, isOurs, refuse } = options;
  const routes = new WeakMap<Endpoint, RouteHandler>();
  const routeOf = (endpoint: Endpoint): RouteHandler => {
    const shape = httpShape({ method: "POST", route: path, status: 200 });
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
      if (isOurs(service) || !isPlain(request.raw.url)) refuse(request, reply);
      else if (elsewhere.runs(service)) done();
      else if (elsewhere.wasThere(service)) {
        sendError(reply, noNode(service), door);
      } else refuse(request, reply);
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

function noNode(service: string): BanyanError {
  return kernelErrors.SERVICE_UNAVAILABLE(
    `No node runs the service "${service}" at the moment; it was there before.`,
    { details: { service }, retryAfterMs: 1000 },
  );
}
