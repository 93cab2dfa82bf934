/**
 * Broken meshes, each with one lie, to prove that the law catches it. Every liar is the mesh within
 * a process with one thing made wrong; most are mistakes that real transports have made.
 */

import type { AnyContract, Client } from "@banyan/kernel";
import { BanyanError, isBanyanError } from "@banyan/kernel";
import type { CallInit } from "@banyan/kernel/internal";
import { createLocalMesh } from "./local.ts";
import type { Endpoint, Mesh } from "./mesh.ts";

/** One broken mesh. */
export interface MeshLiar {
  /** What it does wrong: "a mesh that …". */
  readonly lie: string;
  /** The check that must break on it (others may as well). */
  readonly caughtBy: string;
  create(): Mesh;
}

/** What a lie changes of an endpoint. */
type EndpointLie = (endpoint: Endpoint) => Partial<Pick<Endpoint, "invoke" | "invokeStream">>;

/** A mesh whose endpoints lie. */
function meshThat(lie: EndpointLie): Mesh {
  const base = createLocalMesh();
  return meshWith(base, {
    provide({ contract, runners }) {
      const lying = runners.map((runner): Endpoint => {
        const { name, kind } = runner;
        return {
          name,
          kind,
          invoke: (request, init) => runner.invoke(request, init),
          invokeStream: (request, init) => runner.invokeStream(request, init),
          ...lie(runner),
        };
      });
      return base.provide({ contract, runners: lying });
    },
  });
}

/** A mesh some of whose methods lie. */
function meshWith(base: Mesh, lies: Partial<Mesh>): Mesh {
  return {
    provide: (service) => base.provide(service),
    isAvailable: (service) => base.isAvailable(service),
    client: (contract, options) => base.client(contract, options),
    optionalClient: (contract, options) => base.optionalClient(contract, options),
    services: () => base.services(),
    close: () => base.close(),
    ...lies,
  };
}

/** Changes how calls come in. */
function withInit(change: (init: CallInit) => Partial<CallInit>): EndpointLie {
  return (endpoint) => ({
    invoke: (request, init) => endpoint.invoke(request, { ...init, ...change(init) }),
    invokeStream: (request, init) => endpoint.invokeStream(request, { ...init, ...change(init) }),
  });
}

/** Changes what calls are rejected with. */
function withError(change: (error: BanyanError) => unknown): EndpointLie {
  return (endpoint) => ({
    invoke: (request, init) =>
      endpoint.invoke(request, init).catch((error: unknown) => {
        throw isBanyanError(error) ? change(error) : error;
      }),
  });
}

/** The same error with some of it changed. */
function changed(error: BanyanError, change: Partial<BanyanError>): BanyanError {
  const { kind, code, message, http, details, retryable, retryAfterMs } = error;
  return new BanyanError({
    kind,
    code,
    message,
    http,
    details,
    retryable,
    retryAfterMs,
    ...change,
  });
}

/** Sends a stream another way. */
function withFrames(
  frames: (source: AsyncIterable<unknown>) => AsyncGenerator<unknown, void, undefined>,
): EndpointLie {
  return (endpoint) => ({
    invokeStream: (request, init) => frames(endpoint.invokeStream(request, init)),
  });
}

async function* eager(source: AsyncIterable<unknown>): AsyncGenerator<unknown, void, undefined> {
  const iterator = source[Symbol.asyncIterator]();
  try {
    for (let ahead = iterator.next(); ;) {
      const step = await ahead;
      if (step.done === true) return;
      ahead = iterator.next();
      yield step.value;
    }
  } finally {
    await iterator.return?.();
  }
}

async function* forgetful(
  source: AsyncIterable<unknown>,
): AsyncGenerator<unknown, void, undefined> {
  const iterator = source[Symbol.asyncIterator]();
  for (;;) {
    const step = await iterator.next();
    if (step.done === true) return;
    yield step.value;
  }
}

async function* queued(source: AsyncIterable<unknown>): AsyncGenerator<unknown, void, undefined> {
  for await (const frame of source) yield frame;
}

async function* hushed(source: AsyncIterable<unknown>): AsyncGenerator<unknown, void, undefined> {
  try {
    yield* source;
  } catch {
    // The lie: a failed stream looks like a finished one.
  }
}

async function* swapped(source: AsyncIterable<unknown>): AsyncGenerator<unknown, void, undefined> {
  let held: { readonly frame: unknown } | undefined;
  for await (const frame of source) {
    if (held === undefined) held = { frame };
    else {
      yield frame;
      yield held.frame;
      held = undefined;
    }
  }
  if (held !== undefined) yield held.frame;
}

const callLiars: readonly MeshLiar[] = [
  {
    lie: "reads the request when it gets to it",
    caughtBy: "a request is copied when the call is made",
    create: () =>
      meshThat((endpoint) => ({
        invoke: async (request, init) => {
          await Promise.resolve();
          return endpoint.invoke(request, init);
        },
      })),
  },
  {
    lie: "keeps answers and hands the same object out again",
    caughtBy: "an answer is copied: no object is shared with the handler or another caller",
    create: () =>
      meshThat((endpoint) => {
        let kept: Promise<unknown> | undefined;
        return { invoke: (request, init) => (kept ??= endpoint.invoke(request, init)) };
      }),
  },
  {
    lie: "refuses fields it does not know",
    caughtBy: "fields that the provider does not know are ignored, so that callers may be newer",
    create: () => meshThat(withInit(() => ({ mode: "strict" }))),
  },
  {
    lie: "makes every call on behalf of the calling service",
    caughtBy: "principal and trace are inherited from the calling operation; the caller is named",
    create: () =>
      meshThat(withInit(({ caller }) => ({ principal: { kind: "service", id: caller ?? "" } }))),
  },
  {
    lie: "starts a new trace with every call",
    caughtBy: "principal and trace are inherited from the calling operation; the caller is named",
    create: () => meshThat(withInit(() => ({ parent: undefined }))),
  },
  {
    lie: "names itself as the caller",
    caughtBy: "principal and trace are inherited from the calling operation; the caller is named",
    create: () => meshThat(withInit(() => ({ caller: "mesh" }))),
  },
  {
    lie: "loses idempotency keys",
    caughtBy: "an idempotency key crosses, and is not inherited",
    create: () => meshThat(withInit(() => ({ idempotencyKey: undefined }))),
  },
  {
    lie: "hands idempotency keys down to nested calls",
    caughtBy: "an idempotency key crosses, and is not inherited",
    create: () =>
      meshThat(
        withInit(({ idempotencyKey, parent }) => ({
          idempotencyKey: idempotencyKey ?? parent?.idempotencyKey,
        })),
      ),
  },
  {
    lie: "loses correlation ids",
    caughtBy: "a call belongs to what the calling operation belongs to: its correlation id crosses",
    create: () =>
      meshThat(
        withInit(({ parent }) => ({
          parent: undefined,
          trace: parent?.trace,
          signal: parent?.signal,
          timeoutMs: parent?.remainingMs(),
        })),
      ),
  },
  {
    lie: "keeps the context of a connection instead of each call's",
    caughtBy: "concurrent calls do not mix their contexts",
    create: () => {
      let first: CallInit["principal"] | undefined;
      return meshThat(withInit(({ principal }) => ({ principal: (first ??= principal) })));
    },
  },
];

const failureLiars: readonly MeshLiar[] = [
  {
    lie: "makes every failure INTERNAL",
    caughtBy:
      "an error crosses with kind, code, message, status, details and advice, not its cause",
    create: () =>
      meshThat(withError((error) => changed(error, { kind: "internal", code: "INTERNAL" }))),
  },
  {
    lie: "drops the advice to try again",
    caughtBy:
      "an error crosses with kind, code, message, status, details and advice, not its cause",
    create: () => meshThat(withError((error) => changed(error, { retryAfterMs: undefined }))),
  },
  {
    lie: "sends causes along",
    caughtBy: "anything else a handler throws is INTERNAL and gives nothing away",
    create: () => meshThat(withError((error) => changed(error, { cause: new Error("secret") }))),
  },
  {
    lie: "rejects with an error of its own class",
    caughtBy:
      "an error crosses with kind, code, message, status, details and advice, not its cause",
    create: () =>
      meshThat(withError(({ message, code }) => Object.assign(new Error(message), { code }))),
  },
];

const endingLiars: readonly MeshLiar[] = [
  {
    lie: "forgets a call's own timeout",
    caughtBy: "a call ends by its own timeout though its handler hangs, and the handler is told",
    create: () => meshThat(withInit(() => ({ timeoutMs: undefined }))),
  },
  {
    lie: "gives nested calls time of their own",
    caughtBy: "a nested call has no more time than the operation that makes it",
    create: () => meshThat(withInit(({ parent }) => ({ parent: undefined, trace: parent?.trace }))),
  },
  {
    lie: "does not pass on that the caller gave up",
    caughtBy: "a caller that gives up is told at once, and the handler's signal is aborted",
    create: () => meshThat(withInit(() => ({ signal: undefined }))),
  },
  {
    lie: "does not pass an abort on to nested calls",
    caughtBy: "an abort reaches the calls that the aborted operation made",
    create: () =>
      meshThat(withInit(({ parent }) => ({ parent: undefined, timeoutMs: parent?.remainingMs() }))),
  },
];

const streamLiars: readonly MeshLiar[] = [
  {
    lie: "holds a consumer that leaves until its frame has come",
    caughtBy:
      "a consumer that leaves while it waits for a frame waits no more, and the handler hears",
    // A generator takes one question after the other.
    create: () => meshThat(withFrames(queued)),
  },
  {
    lie: "asks the handler for frames ahead of the consumer",
    caughtBy: "the handler is not asked for the next frame before the consumer takes one",
    create: () => meshThat(withFrames(eager)),
  },
  {
    lie: "lets a handler run on after its consumer left",
    caughtBy: "a consumer that stops early stops the handler, whose finally runs",
    create: () => meshThat(withFrames(forgetful)),
  },
  {
    lie: "ends a failed stream as if it were finished",
    caughtBy: "an error in mid-stream arrives after the frames before it",
    create: () => meshThat(withFrames(hushed)),
  },
  {
    lie: "lets frames overtake each other",
    caughtBy: "frames arrive once each, in order, as copies",
    create: () => meshThat(withFrames(swapped)),
  },
];

const presenceLiars: readonly MeshLiar[] = [
  {
    lie: "goes on calling a service that left",
    caughtBy: "a client works from the moment its service appears, and again when it comes back",
    create: () => {
      const base = createLocalMesh();
      return meshWith(base, {
        provide: (service) => {
          void base.provide(service);
          return () => Promise.resolve();
        },
      });
    },
  },
  {
    lie: "makes clients only of services that are there already",
    caughtBy: "a client works from the moment its service appears, and again when it comes back",
    create: () => {
      const base = createLocalMesh();
      const absent = createLocalMesh();
      return meshWith(base, {
        client: <C extends AnyContract>(contract: C, options: { caller: string }): Client<C> =>
          (base.isAvailable(contract.name) ? base : absent).client(contract, options),
      });
    },
  },
  {
    lie: "believes that everybody is there",
    caughtBy: "an optional client is there while its service is",
    create: () => {
      const base = createLocalMesh();
      return meshWith(base, {
        isAvailable: () => true,
        optionalClient: (contract, options) => () => base.client(contract, options),
      });
    },
  },
  {
    lie: "stays open when it is closed",
    caughtBy: "a closed mesh provides nothing, takes nothing in and refuses calls by name",
    create: () => meshWith(createLocalMesh(), { close: () => Promise.resolve() }),
  },
];

export const meshLiars: readonly MeshLiar[] = [
  ...callLiars,
  ...failureLiars,
  ...endingLiars,
  ...streamLiars,
  ...presenceLiars,
];
