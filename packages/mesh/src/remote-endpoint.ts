/**
 * An operation that another node runs: which one is chosen for each call.
 *
 * E1. A call is tried on another instance only where the first cannot have done anything: there
 *     was no connection, or it was refused before its handler was asked; or where the operation is
 *     idempotent. All tries are within the call's one deadline.
 * E2. Nobody waits for a connection while another candidate has one; where none has, for the first
 *     of a few.
 * E3. Where all take what is sent to them too slowly, a call waits for room, within its deadline.
 */

import type { BanyanError } from "@banyan/kernel";
import { isBanyanError } from "@banyan/kernel";
import { CallContext, kernelErrors, listOperations, toBanyanError } from "@banyan/kernel/internal";
import type { CallInit, CallRuntime, CallTarget } from "@banyan/kernel/internal";
import type { Balancer } from "./balancer.ts";
import type { WantedOperation } from "./client.ts";
import { meshErrors } from "./errors.ts";
import { endedStream, LazyStream, startingWith } from "./lazy-stream.ts";
import type { Endpoint } from "./mesh.ts";
import { unavailableError } from "./provided-services.ts";
import type { InstanceRecord } from "./instance-record.ts";
import type { Candidates } from "./route-table.ts";
import { isUndone } from "./undone.ts";
import { invokeOver, jsonOf } from "./wire/remote-call.ts";
import { RemoteStream } from "./wire/remote-stream.ts";
import type { WireLink } from "./wire/wire-link.ts";

export interface RemotePorts {
  readonly runtime: CallRuntime;
  readonly balancer: Balancer;
  /** Instances that run a service and take calls. */
  readonly candidates: (service: string, built: string | undefined) => Candidates;
  /** The link to one, where it is open. */
  readonly linkTo: (instance: InstanceRecord) => WireLink | undefined;
  /** Opens it. @throws MESH_PEER_UNREACHABLE, MESH_PEER_REFUSED */
  readonly dial: (instance: InstanceRecord) => Promise<WireLink>;
  /** It could not be reached: it is not chosen again until it is heard of. */
  readonly unreachable: (instance: InstanceRecord) => void;
  /** Frames that may come before they are asked for, of a stream that says nothing of it. */
  readonly streamAhead: number;
}

/** What is called, as far as it must be known on this side. */
export interface RemoteOperation {
  readonly service: string;
  /** Full name: `greeter.greet`. */
  readonly name: string;
  readonly kind: "unary" | "stream";
  /** Version of the contract that the caller was built against. Left out: any will do. */
  readonly built?: string | undefined;
  /** Its own deadline, in milliseconds. Left out: the runtime's default; a stream has none. */
  readonly deadlineMs?: number | undefined;
  /** It may be tried again where nobody knows whether it was done. Default false. */
  readonly idempotent?: boolean | undefined;
  /** Frames that may come before they are asked for. Left out: as the node has it. */
  readonly streamAhead?: number | undefined;
}

/** Instances that a call is tried on while each says that it is full. */
const fullTriesMax = 3;

/** Connections that are opened at once for a call while there is none: the first one has it. */
const dialsAtOnce = 3;

interface Connected {
  readonly instance: InstanceRecord;
  readonly link: WireLink;
}

/** A try of a call. */
interface Outgoing {
  readonly text: string | undefined;
  readonly init: CallInit;
  readonly startedMs: number;
}

/** What choosing an instance goes by. */
interface Tries {
  readonly tried: Set<string>;
  /** What the last one said. */
  readonly failure: unknown;
  /** Of the request, in characters. */
  readonly length: number;
  readonly stay: Stay;
}

/** Whether the call that waits may still take place. */
interface Stay {
  isOver: boolean;
  onOver: (() => void) | undefined;
}

/** What there was of a call so far. */
interface Before {
  readonly startedMs: number;
  readonly failed?: { readonly instance: string; readonly error: unknown };
}

export class RemoteEndpoint implements Endpoint {
  readonly name: string;
  readonly kind: "unary" | "stream";
  readonly #ports: RemotePorts;
  readonly #target: CallTarget;
  readonly #isIdempotent: boolean;
  readonly #built: string | undefined;
  readonly #streamAhead: number;

  constructor(operation: RemoteOperation, ports: RemotePorts) {
    const { service, name, kind, deadlineMs, idempotent = false } = operation;
    this.name = name;
    this.kind = kind;
    this.#ports = ports;
    this.#isIdempotent = idempotent;
    this.#built = operation.built;
    this.#streamAhead = operation.streamAhead ?? ports.streamAhead;
    const timeoutMs = kind === "stream" ? Infinity : ports.runtime.defaultTimeoutMs;
    this.#target = { service, name, kind, timeoutMs: deadlineMs ?? timeoutMs };
  }

  invoke(request: unknown, init: CallInit): Promise<unknown> {
    try {
      // Copied when the call is made, however late it is sent.
      const text = jsonOf(request, this.name);
      const instance = this.#choose();
      if (instance === undefined) throw this.#unavailable(init);
      const link = this.#ports.linkTo(instance);
      const startedMs = this.#ports.runtime.clock.monotonicMs();
      if (link?.hasRoom !== true) return this.#invokeSlowly(text, init, { startedMs });
      const first = instance.instance;
      return this.#invokeOn(first, link, { text, init, startedMs }).catch((error: unknown) => {
        if (!this.#mayTryAgain(error, 1)) throw error;
        return this.#invokeSlowly(text, init, { startedMs, failed: { instance: first, error } });
      });
    } catch (error) {
      return Promise.reject(toBanyanError(error));
    }
  }

  invokeStream(request: unknown, init: CallInit): AsyncIterable<unknown> {
    const { runtime } = this.#ports;
    const ahead = this.#streamAhead;
    return new LazyStream(async (leave) => {
      const text = jsonOf(request, this.name);
      const endsMs = this.#deadlineMs(init, runtime.clock.monotonicMs());
      const tried = new Set<string>();
      let failure: unknown;
      for (;;) {
        const leftMs = (): number => Math.max(0, endsMs - runtime.clock.monotonicMs());
        const { instance, link } = await this.#within(
          { ...init, timeoutMs: leftMs() },
          failure,
          (stay) => this.#connected(init, { tried, failure, length: text?.length ?? 0, stay }),
        );
        if (leave.isLeft) return endedStream;
        const timeoutMs = leftMs();
        const load = this.#ports.balancer.loadOf(instance.instance);
        load.began();
        const onEnd = (error: BanyanError | undefined): void => load.ended(error);
        const left = { ...init, timeoutMs };
        const how = { text, init: left, runtime, ahead, onEnd };
        const stream = new RemoteStream(link, this.#target, how);
        leave.onLeave = () => void stream.return();
        try {
          return startingWith(await stream.next(), stream);
        } catch (error) {
          tried.add(instance.instance);
          if (!this.#mayTryAgain(error, tried.size)) throw error;
          failure = error;
        }
      }
    });
  }

  /** With a connection that has to be opened, or after a try elsewhere. */
  #invokeSlowly(
    text: string | undefined,
    init: CallInit,
    { startedMs, failed }: Before,
  ): Promise<unknown> {
    const { clock } = this.#ports.runtime;
    const tried = new Set<string>(failed === undefined ? [] : [failed.instance]);
    const endsMs = this.#deadlineMs(init, startedMs);
    const leftMs = (): number => Math.max(0, endsMs - clock.monotonicMs());
    const attempt = async (failure: unknown): Promise<unknown> => {
      const { instance, link } = await this.#within(
        { ...init, timeoutMs: leftMs() },
        failure,
        (stay) => this.#connected(init, { tried, failure, length: text?.length ?? 0, stay }),
      );
      const now = { text, init: { ...init, timeoutMs: leftMs() }, startedMs: clock.monotonicMs() };
      try {
        return await this.#invokeOn(instance.instance, link, now);
      } catch (error) {
        tried.add(instance.instance);
        if (!this.#mayTryAgain(error, tried.size)) throw error;
        return attempt(error);
      }
    };
    return attempt(failed?.error);
  }

  /**
   * Waits no longer than the call may take, and not after its caller went away.
   * @param before what an earlier try said: it may have been sent
   */
  #within<T>(init: CallInit, before: unknown, work: (stay: Stay) => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const { runtime } = this.#ports;
      const call = new CallContext(this.#target, runtime, init);
      const stay: Stay = { isOver: false, onOver: undefined };
      const live = call.open((error) => {
        // Not observed: the call itself is, once it is sent. Without an error its end is ours.
        if (error === undefined) return;
        stay.isOver = true;
        stay.onOver?.();
        const isUnsent = before === undefined || isUndone(before);
        const isLate = isBanyanError(error, "CALL_DEADLINE_EXCEEDED");
        const why = isLate && isUnsent ? unsent(call) : error;
        reject(why);
        runtime.observe(call, why);
      });
      if (!live) return;
      work(stay).then(
        (value) => {
          resolve(value);
          call.end(undefined, undefined);
        },
        (error: unknown) => call.end(toBanyanError(error), undefined),
      );
    });
  }

  #invokeOn(instance: string, link: WireLink, { text, init, startedMs }: Outgoing) {
    const { balancer, runtime } = this.#ports;
    const load = balancer.loadOf(instance);
    load.began();
    const onEnd = (error: BanyanError | undefined): void =>
      load.ended(error, runtime.clock.monotonicMs() - startedMs);
    return invokeOver(link, this.#target, { text, init, runtime, onEnd });
  }

  /** An instance and its link (E2, E3). @throws what the last try said, or that there is none */
  async #connected(init: CallInit, tries: Tries): Promise<Connected> {
    const { tried, stay } = tries;
    let { failure } = tries;
    /** Of those that could be called if they took more of what is sent to them. */
    const busy = new Map<string, Connected>();
    const mayBe = ({ instance }: InstanceRecord): boolean =>
      !tried.has(instance) && !busy.has(instance);
    const opening = async (instance: InstanceRecord): Promise<Connected> => {
      try {
        return { instance, link: await this.#ports.dial(instance) };
      } catch (error) {
        failure = error;
        tried.add(instance.instance);
        this.#ports.unreachable(instance);
        throw error;
      }
    };
    for (;;) {
      const instance = this.#choose(mayBe);
      if (instance === undefined || stay.isOver) {
        if (busy.size === 0) throw toBanyanError(failure ?? this.#unavailable(init));
        const found = await withRoom([...busy.values()], tries);
        if (found !== undefined) return found;
        busy.clear();
        continue;
      }
      const link = this.#ports.linkTo(instance);
      if (link?.hasRoom === false) {
        busy.set(instance.instance, { instance, link });
        continue;
      }
      if (link !== undefined) return { instance, link };
      const first = opening(instance);
      first.catch(() => undefined); // whoever calls next is not sent there
      const isReady = (each: InstanceRecord): boolean =>
        mayBe(each) && this.#ports.linkTo(each)?.hasRoom === true;
      const ready = this.#choose(isReady);
      const there = ready === undefined ? undefined : this.#ports.linkTo(ready);
      if (ready !== undefined && there !== undefined) return { instance: ready, link: there };
      const called = new Map([[instance, first]]);
      while (called.size < dialsAtOnce) {
        const other = this.#choose((each) => !called.has(each) && mayBe(each));
        if (other === undefined) break;
        called.set(other, opening(other));
      }
      const found = await Promise.any(called.values()).catch(() => undefined);
      // All who waited for it would send at once.
      const mine = found === undefined ? undefined : await withRoom([found], tries);
      if (mine !== undefined) return mine;
    }
  }

  /** @param may whether one is to be considered; left out: all are */
  #choose(may?: (instance: InstanceRecord) => boolean): InstanceRecord | undefined {
    const { candidates, balancer } = this.#ports;
    const { up, degraded } = candidates(this.#target.service, this.#built);
    if (may === undefined) return balancer.choose(up) ?? balancer.choose(degraded);
    return balancer.choose(up.filter(may)) ?? balancer.choose(degraded.filter(may));
  }

  /** @param tries that there have been */
  #mayTryAgain(error: unknown, tries: number): boolean {
    if (isUndone(error)) {
      // A node that is older than the rest of its fleet may lack the operation.
      if (error.kind === "unavailable" || error.code === "OPERATION_UNKNOWN") return true;
      // Who is full is passed by; where all are, they are not asked by everybody.
      return error.kind === "resource_exhausted" && tries < fullTriesMax;
    }
    return this.#isIdempotent && isBanyanError(error, "MESH_OUTCOME_UNKNOWN");
  }

  #deadlineMs({ timeoutMs = this.#target.timeoutMs, parent }: CallInit, startedMs: number): number {
    return Math.min(startedMs + timeoutMs, parent?.deadlineMs ?? Infinity);
  }

  #unavailable({ caller = "a client" }: CallInit): BanyanError {
    const { service } = this.#target;
    const { up, degraded } = this.#ports.candidates(service, undefined);
    const versions = new Set([...up, ...degraded].map(({ services }) => services[service]));
    const built = this.#built;
    if (built === undefined || versions.size === 0) return unavailableError(service, caller);
    return kernelErrors.SERVICE_UNAVAILABLE(
      `"${service}" runs as ${[...versions].join(" and ")}, which ${caller}, built against ${built}, ` +
        `cannot call; run one of its own version too, or build ${caller} anew.`,
      { details: { service, caller, built } },
    );
  }
}

/**
 * Waits until one of them has room; `undefined`: look again, one has ended, or takes no calls.
 * @throws MESH_PEER_UNREACHABLE where too much waits at all of them
 */
async function withRoom(
  busy: readonly Connected[],
  { length, stay }: Tries,
): Promise<Connected | undefined> {
  const places = busy.flatMap((each) => {
    const place = each.link.room(length);
    return place === undefined ? [] : [{ each, place }];
  });
  const [first] = busy;
  if (places.length === 0 && first !== undefined) throw full(first.instance);
  const over = Promise.withResolvers<undefined>();
  stay.onOver = () => over.resolve(undefined);
  if (stay.isOver) stay.onOver();
  const turns = places.map(({ each, place }) => place.turn.then(() => each));
  const found = await Promise.race([...turns, over.promise]);
  stay.onOver = undefined;
  for (const { place } of places) place.leave();
  return found?.link.takesCalls === true ? found : undefined;
}

function full({ node }: InstanceRecord): BanyanError {
  return meshErrors.MESH_PEER_UNREACHABLE(
    `Node ${node} takes what is sent to it more slowly than it comes, and much waits; ` +
      "nothing more is sent for now.",
  );
}

/** Its deadline is over, and no node has heard of it. */
function unsent({ operation, deadlineMs, startedMs }: CallContext): BanyanError {
  const allowedMs = Math.round(deadlineMs - startedMs);
  return kernelErrors.CALL_DEADLINE_EXCEEDED(
    `${operation} could not be sent within ${allowedMs} ms; nothing was done.`,
    { details: { operation, allowedMs } },
  );
}

/** What the caller's contract says of the operation. */
export function remoteOperation({ contract, name, kind }: WantedOperation): RemoteOperation {
  const all = listOperations(contract.spec.operations ?? {});
  const own = all.find((operation) => `${contract.name}.${operation.name}` === name);
  const { idempotent, deadlineMs, streamAhead } = own?.spec ?? {};
  const built = contract.spec.version;
  return { service: contract.name, name, kind, built, idempotent, deadlineMs, streamAhead };
}
