/** Two nodes with one connection between them, for the tests of the wire. */

import { createServer, connect } from "node:net";
import type { AddressInfo } from "node:net";
import type { AnyContract, Client } from "@banyan/kernel";
import { CallRuntime, kernelErrors } from "@banyan/kernel/internal";
import { FakeClock } from "@banyan/testbed";
import type { MeshHarness } from "../conformance.ts";
import { createLocalMesh } from "../local.ts";
import { createClient } from "../client.ts";
import type { Endpoint, Mesh, ProvidedService } from "../mesh.ts";
import { openLink } from "./open-link.ts";
import type { OpenLinkOptions } from "./open-link.ts";
import { invokeOver, streamOver } from "./remote-call.ts";
import type { WireLink } from "./wire-link.ts";

/** What a test node is made of. */
export interface WireNode {
  readonly runtime: CallRuntime;
  readonly provided: Map<string, ProvidedService>;
  readonly options: (over?: Partial<OpenLinkOptions>) => OpenLinkOptions;
}

export function wireNode(node: string, clock = new FakeClock({ monotonicMs: 1000 })): WireNode {
  const runtime = new CallRuntime({ clock });
  const provided = new Map<string, ProvidedService>();
  const resolve = (operation: string, kind: "unary" | "stream"): Endpoint => {
    const [service = ""] = operation.split(".");
    const runners = provided.get(service)?.runners;
    if (runners === undefined)
      throw kernelErrors.SERVICE_UNAVAILABLE(`Nobody provides ${service}.`);
    const found = runners.find(({ name }) => name === operation);
    if (found?.kind !== kind) throw kernelErrors.OPERATION_UNKNOWN(`There is no ${operation}.`);
    return found;
  };
  return {
    runtime,
    provided,
    options: (over = {}) => ({
      identity: { cluster: "test", node, callsMax: 1000, messageBytesMax: 1_000_000 },
      secret: "a secret of the test that is long enough",
      runtime,
      resolve,
      callsMax: 1000,
      messageBytesMax: 1_000_000,
      outgoingBytesMax: 1_000_000,
      onClose: () => undefined,
      onGoodbye: () => undefined,
      ...over,
    }),
  };
}

/** A connection from one to the other, over a real socket. */
export async function linked(
  near: OpenLinkOptions,
  far: OpenLinkOptions,
): Promise<{ readonly near: WireLink; readonly far: WireLink; close(): Promise<void> }> {
  const accepted = Promise.withResolvers<WireLink>();
  const server = createServer((socket) => {
    openLink(socket, "callee", far).then(accepted.resolve, accepted.reject);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  const [one, other] = await Promise.all([
    openLink(connect(port, "127.0.0.1"), "caller", near),
    accepted.promise,
  ]);
  return {
    near: one,
    far: other,
    async close() {
      one.close();
      other.close();
      await new Promise((done) => server.close(done));
    },
  };
}
