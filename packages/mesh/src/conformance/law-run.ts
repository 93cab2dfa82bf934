/** What the checks of the law are made of: a desk that is called, and ways to call it. */

import assert from "node:assert/strict";
import type { AnyContract, BanyanError, Call, CallOptions } from "@banyan/kernel";
import { defineContract, isBanyanError, systemClock, t } from "@banyan/kernel";
import type {
  CallContext,
  CallInit,
  CallRuntime,
  Handler,
  NamedOperation,
} from "@banyan/kernel/internal";
import { listOperations, OperationRunner } from "@banyan/kernel/internal";
import type { Mesh, Withdraw } from "../mesh.ts";

/** One node of the mesh that is held to the law. */
export interface MeshNode {
  readonly mesh: Mesh;
  /** On which this node's handlers run. */
  readonly runtime: CallRuntime;
}

/** A fresh mesh: services run on the far node, callers stand on the near one. */
export interface MeshHarness {
  readonly near: MeshNode;
  /** The same node where the mesh has only one. */
  readonly far: MeshNode;
  /** Moves the clock of both nodes' runtimes on and lets what became due happen. */
  advance(ms: number): Promise<void>;
  close(): Promise<void>;
}

export interface MeshSubject {
  readonly name: string;
  /** Real milliseconds until a check that hangs is broken. Default 5000. */
  readonly patienceMs?: number;
  open(): Promise<MeshHarness>;
}

/** One sentence of the law. */
export interface MeshCheck {
  readonly name: string;
  run(law: LawRun): Promise<void>;
}

const echo = t.Object({ text: t.String({ minLength: 1 }), list: t.Optional(t.Array(t.String())) });

/** What the law calls. Its provider may leave operations out: they then answer INTERNAL. */
const desk = defineContract("law-desk", {
  summary: "Is called by the law.",
  version: "1.2.0",
  operations: {
    echo: { summary: "Echo.", request: echo, response: echo },
    wait: { summary: "Wait.", response: t.Object({}) },
    count: {
      summary: "Count.",
      request: t.Object({ to: t.Integer() }),
      stream: t.Object({ n: t.Integer() }),
    },
    admin: { reset: { summary: "Reset.", request: t.Object({ why: t.String() }) } },
  },
});

export interface Echo {
  text: string;
  list?: string[];
}

export interface DeskHandlers {
  readonly echo?: (request: Echo, call: Call) => Promise<Echo> | Echo;
  readonly wait?: (request: object, call: Call) => Promise<object>;
  readonly count?: (request: { to: number }, call: Call) => AsyncIterable<{ n: number }>;
  readonly "admin.reset"?: (request: { why: string }, call: Call) => Promise<void> | void;
}

/** A client of the desk, written out: declarations must not name the schema library's types. */
export interface DeskClient {
  echo(request: Echo, options?: Call | CallOptions): Promise<Echo>;
  wait(request: object, options?: Call | CallOptions): Promise<object>;
  count(request: { to: number }, options?: Call | CallOptions): AsyncIterable<{ n: number }>;
  readonly admin: {
    reset(request: { why: string }, options?: Call | CallOptions): Promise<void>;
  };
}

/** The law's own service, in whose calls it stands. */
const front = defineContract("law-front", {
  summary: "Stands in for a service that calls others.",
  version: "1.0.0",
  operations: { stand: { summary: "Stand.", response: t.Unknown() } },
});

export const lawPrincipal: CallInit["principal"] = Object.freeze({
  kind: "account",
  id: "ada",
  permissions: ["desk.use"],
});

export class LawRun {
  readonly harness: MeshHarness;
  readonly client: DeskClient;
  readonly #patienceMs: number;

  constructor(harness: MeshHarness, patienceMs = 5000) {
    this.harness = harness;
    this.#patienceMs = patienceMs;
    this.client = harness.near.mesh.client(desk, { caller: front.name });
  }

  advance(ms: number): Promise<void> {
    return this.harness.advance(ms);
  }

  /** A broken mesh may hang; the law does not. */
  patiently<T>(what: string, promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const cancel = systemClock.setTimer(
        this.#patienceMs,
        () => reject(new assert.AssertionError({ message: `${what}: nothing came` })),
        { keepAlive: true },
      );
      promise.then(resolve, reject).finally(cancel);
    });
  }

  /** The desk for a service that can do without it. */
  optionalClient(): () => DeskClient | undefined {
    return this.harness.near.mesh.optionalClient(desk, { caller: front.name });
  }

  /** Provides the desk, or another contract of its name, on the far node. */
  provide(handlers: DeskHandlers, contract: AnyContract = desk): Withdraw {
    const { mesh, runtime } = this.harness.far;
    const known = new Map<string, unknown>(Object.entries(handlers));
    const runners = listOperations(contract.spec.operations ?? {}).map((operation) => {
      const found = known.get(operation.name) ?? absentHandler(operation);
      // The handlers' types follow the desk's contract, by which requests are parsed.
      const handler = found as Handler;
      return new OperationRunner(contract, operation, { handler, runtime });
    });
    return mesh.provide({ contract, runners });
  }

  /** Runs code as the handler of a call on the near node. */
  stand<T>(run: (call: CallContext) => Promise<T>, init: Partial<CallInit> = {}): Promise<T> {
    const { runtime } = this.harness.near;
    let answer: { readonly value: T } | undefined;
    const [operation] = listOperations(front.spec.operations);
    assert(operation !== undefined);
    const handler: Handler = async (_request, call) => {
      answer = { value: await run(call) };
      return null;
    };
    return new OperationRunner(front, operation, { handler, runtime })
      .invoke({}, { mode: "tolerant", principal: lawPrincipal, caller: "law", ...init })
      .then(() => {
        assert(answer !== undefined);
        return answer.value;
      });
  }
}

function absentHandler({ name }: NamedOperation): Handler {
  return () => {
    throw new Error(`This check did not expect a call of ${name}.`);
  };
}

/** What a promise was rejected with; anything but a BanyanError breaks the law. */
export async function failureOf(promise: PromiseLike<unknown>): Promise<BanyanError> {
  let value: unknown;
  try {
    value = await promise;
  } catch (error) {
    assert(
      isBanyanError(error),
      `rejected with something else than a BanyanError: ${String(error)}`,
    );
    return error;
  }
  assert.fail(`expected a rejection, got ${JSON.stringify(value)}`);
}

/** A promise and how to settle it. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
}
