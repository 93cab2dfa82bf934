/**
 * An operation that another node runs: which one is chosen for each call.
 *
 * E1. A call is tried on another instance only where the first cannot have done anything: there
 *     was no connection, or it was refused by a node that leaves; or where the operation is
 *     idempotent. All tries are within the call's one deadline.
 */

import type { BanyanError } from "@banyan/kernel";
import { isBanyanError } from "@banyan/kernel";
import { isOperationSpec } from "@banyan/kernel/internal";
import type { CallInit, CallRuntime, CallTarget } from "@banyan/kernel/internal";
import type { Balancer } from "./balancer.ts";
import type { WantedOperation } from "./client.ts";
import type { Endpoint } from "./mesh.ts";
import { unavailableError } from "./provided-services.ts";
import type { InstanceRecord } from "./route-table.ts";
import { invokeOver, streamOver } from "./wire/remote-call.ts";
import type { WireLink } from "./wire/wire-link.ts";

export interface RemotePorts {
  readonly runtime: CallRuntime;
  readonly balancer: Balancer;
  /** Instances that run a service and take calls. */
  readonly candidates: (service: string) => readonly InstanceRecord[];
  /** The link to one, where it is open. */
  readonly linkTo: (instance: InstanceRecord) => WireLink | undefined;
  /** Opens it. @throws MESH_PEER_UNREACHABLE, MESH_PEER_REFUSED */
  readonly dial: (instance: InstanceRecord) => Promise<WireLink>;
  /** It could not be reached: it is not chosen again until it is heard of. */
  readonly unreachable: (instance: InstanceRecord) => void;
  /** Frames of a stream that may come before they are asked for. */
  readonly streamAhead: number;
}

export class RemoteEndpoint implements Endpoint {
  readonly name: string;
  readonly kind: "unary" | "stream";
  readonly #wanted: WantedOperation;
  readonly #ports: RemotePorts;
  readonly #target: CallTarget;
  readonly #isIdempotent: boolean;

  constructor(wanted: WantedOperation, ports: RemotePorts) {
    this.name = wanted.name;
    this.kind = wanted.kind;
    this.#wanted = wanted;
    this.#ports = ports;
    const spec = specOf(wanted);
    this.#isIdempotent = spec.idempotent;
    this.#target = {
      service: wanted.contract.name,
      name: wanted.name,
      kind: wanted.kind,
      timeoutMs:
        spec.deadlineMs ?? (wanted.kind === "stream" ? Infinity : ports.runtime.defaultTimeoutMs),
    };
  }

  invoke(request: unknown, init: CallInit): Promise<unknown> {
    const instance = this.#choose(undefined);
    if (instance === undefined) return Promise.reject(this.#unavailable(init));
    const link = this.#ports.linkTo(instance);
    if (link === undefined || link.isFull) return this.#invokeSlowly(request, init);
    return this.#invokeOn(instance, link, { request, init }).catch((error: unknown) => {
      if (!this.#mayTryAgain(error)) throw error;
      return this.#invokeSlowly(request, init, instance);
    });
  }

  async *invokeStream(request: unknown, init: CallInit): AsyncGenerator<unknown, void, undefined> {
    const { runtime, streamAhead: ahead } = this.#ports;
    const [, link] = await this.#connected(init, new Set());
    yield* streamOver(link, this.#target, { request, init, runtime, ahead });
  }

  /** With a connection that has to be opened, or after a try elsewhere. */
  async #invokeSlowly(request: unknown, init: CallInit, failed?: InstanceRecord): Promise<unknown> {
    const tried = new Set<string>(failed === undefined ? [] : [failed.instance]);
    const endsMs = this.#deadlineMs(init);
    for (;;) {
      const [instance, link] = await this.#connected(init, tried);
      const timeoutMs = endsMs - this.#ports.runtime.clock.monotonicMs();
      try {
        const left = { ...init, timeoutMs: Math.max(0, timeoutMs) };
        return await this.#invokeOn(instance, link, { request, init: left });
      } catch (error) {
        tried.add(instance.instance);
        if (!this.#mayTryAgain(error) || this.#choose(tried) === undefined) throw error;
      }
    }
  }

  #invokeOn(
    { instance }: InstanceRecord,
    link: WireLink,
    { request, init }: { readonly request: unknown; readonly init: CallInit },
  ): Promise<unknown> {
    const { balancer, runtime } = this.#ports;
    const load = balancer.loadOf(instance);
    const startedMs = runtime.clock.monotonicMs();
    load.began();
    const ended = (): void => load.ended(runtime.clock.monotonicMs() - startedMs);
    const answer = invokeOver(link, this.#target, { request, init, runtime });
    answer.then(ended, ended);
    return answer;
  }

  /** An instance and its link. @throws why there is none */
  async #connected(
    init: CallInit,
    tried: Set<string>,
  ): Promise<readonly [InstanceRecord, WireLink]> {
    let failure: unknown;
    for (;;) {
      const instance = this.#choose(tried);
      if (instance === undefined) throw failure ?? this.#unavailable(init);
      try {
        const link = this.#ports.linkTo(instance) ?? (await this.#ports.dial(instance));
        if (!link.isFull) return [instance, link];
      } catch (error) {
        failure = error;
        this.#ports.unreachable(instance);
      }
      tried.add(instance.instance);
    }
  }

  #choose(tried: ReadonlySet<string> | undefined): InstanceRecord | undefined {
    const { candidates, balancer } = this.#ports;
    const all = candidates(this.#target.service);
    const left = tried === undefined ? all : all.filter(({ instance }) => !tried.has(instance));
    return balancer.choose(left);
  }

  #mayTryAgain(error: unknown): boolean {
    if (isBanyanError(error, "NODE_DRAINING")) return true;
    if (isBanyanError(error, "MESH_PEER_UNREACHABLE")) return true;
    return this.#isIdempotent && isBanyanError(error, "MESH_OUTCOME_UNKNOWN");
  }

  #deadlineMs({ timeoutMs = this.#target.timeoutMs, parent }: CallInit): number {
    const ownMs = this.#ports.runtime.clock.monotonicMs() + timeoutMs;
    return Math.min(ownMs, parent?.deadlineMs ?? Infinity);
  }

  #unavailable({ caller = "a client" }: CallInit): BanyanError {
    return unavailableError(this.#target.service, caller);
  }
}

/** What the caller's contract says of the operation. */
function specOf({ contract, name }: WantedOperation): {
  readonly idempotent: boolean;
  readonly deadlineMs: number | undefined;
} {
  let node: unknown = contract.spec.operations;
  for (const segment of name.split(".").slice(1)) {
    // A tree of operations is a record of records, down to the one that the client was made of.
    node = (node as Readonly<Record<string, unknown>>)[segment];
  }
  if (!isOperationSpec(node)) return { idempotent: false, deadlineMs: undefined };
  return { idempotent: node.idempotent === true, deadlineMs: node.deadlineMs };
}
