/** Deadlines and cancellation. */

import assert from "node:assert/strict";
import type { Call } from "@banyan/kernel";
import type { MeshCheck } from "./law-run.ts";
import { failureOf, gate } from "./law-run.ts";

const never = (): Promise<never> => new Promise(() => undefined);

/** Resolves when the call is aborted. */
function abortOf(call: Call): Promise<void> {
  return new Promise((resolve) => {
    if (call.signal.aborted) resolve();
    else call.signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

export const endingLaw: readonly MeshCheck[] = [
  {
    name: "a call ends by its own timeout though its handler hangs, and the handler is told",
    async run(law) {
      const told = gate();
      law.provide({
        wait: (_request, call) => {
          void abortOf(call).then(told.open);
          return never();
        },
      });
      const ended = failureOf(law.client.wait({}, { timeoutMs: 200 }));
      await law.advance(100);
      await law.advance(200);
      assert.equal((await law.patiently("the deadline", ended)).code, "CALL_DEADLINE_EXCEEDED");
      await law.patiently("the handler's signal", told.opened);
    },
  },
  {
    name: "a nested call has no more time than the operation that makes it",
    async run(law) {
      let remainingMs = Number.NaN;
      law.provide({
        wait: (_request, call) => {
          remainingMs = call.remainingMs();
          return never();
        },
      });
      const ended = failureOf(
        law.stand(() => law.client.wait({}, { timeoutMs: 60_000 }), { timeoutMs: 1000 }),
      );
      await law.advance(0);
      assert.ok(remainingMs <= 1000, `it has ${remainingMs} ms`);
      await law.advance(1500);
      assert.equal((await law.patiently("the deadline", ended)).code, "CALL_DEADLINE_EXCEEDED");
    },
  },
  {
    name: "a caller that gives up is told at once, and the handler's signal is aborted",
    async run(law) {
      const told = gate();
      const running = gate();
      law.provide({
        wait: (_request, call) => {
          running.open();
          void abortOf(call).then(told.open);
          return never();
        },
      });
      const controller = new AbortController();
      const ended = failureOf(law.client.wait({}, { signal: controller.signal }));
      await law.patiently("the handler", running.opened);
      controller.abort(new Error("secret"));
      const error = await law.patiently("the cancellation", ended);
      assert.equal(error.code, "CALL_CANCELLED");
      assert.doesNotMatch(JSON.stringify(error), /secret/);
      await law.patiently("the handler's signal", told.opened);
    },
  },
  {
    name: "an abort reaches the calls that the aborted operation made",
    async run(law) {
      const told = gate();
      const running = gate();
      law.provide({
        wait: (_request, call) => {
          running.open();
          void abortOf(call).then(told.open);
          return never();
        },
      });
      const controller = new AbortController();
      const ended = failureOf(law.stand(() => law.client.wait({}), { signal: controller.signal }));
      await law.patiently("the handler", running.opened);
      controller.abort();
      assert.equal((await law.patiently("the cancellation", ended)).code, "CALL_CANCELLED");
      await law.patiently("the nested handler's signal", told.opened);
    },
  },
  {
    name: "a call that was given up before it was made runs nothing",
    async run(law) {
      let ran = false;
      law.provide({
        wait: () => {
          ran = true;
          return Promise.resolve({});
        },
      });
      const ended = failureOf(law.client.wait({}, { signal: AbortSignal.abort() }));
      assert.equal((await law.patiently("the refusal", ended)).code, "CALL_CANCELLED");
      await law.advance(0);
      assert.equal(ran, false);
    },
  },
];
