/** How failures cross. */

import assert from "node:assert/strict";
import { BanyanError, isBanyanError } from "@banyan/kernel";
import { kernelErrors } from "@banyan/kernel/internal";
import type { MeshCheck } from "./law-run.ts";
import { failureOf } from "./law-run.ts";

export const failureLaw: readonly MeshCheck[] = [
  {
    name: "an error crosses with kind, code, message, status, details and advice, not its cause",
    async run(law) {
      const details = { id: "7", nested: { at: 1 } };
      const thrown = new BanyanError({
        kind: "not_found",
        code: "OPERATION_UNKNOWN",
        message: "There is no desk 7; list them first.",
        http: 410,
        details,
        retryable: true,
        retryAfterMs: 250,
        cause: new Error("secret"),
      });
      law.provide({ echo: () => Promise.reject(thrown) });
      const error = await failureOf(law.client.echo({ text: "a" }));
      assert.deepEqual(error.toJSON(), thrown.toJSON());
      assert.equal(error.http, 410);
      assert.equal(error.cause, undefined);
      assert.notEqual(error.details, details);
    },
  },
  {
    name: "anything else a handler throws is INTERNAL and gives nothing away",
    async run(law) {
      let thrown: unknown;
      law.provide({
        echo: () => {
          throw thrown;
        },
      });
      for (thrown of [new TypeError("secret"), "secret", undefined, { code: "secret" }]) {
        const error = await failureOf(law.client.echo({ text: "a" }));
        assert.deepEqual([error.kind, error.code], ["internal", "INTERNAL"]);
        assert.doesNotMatch(`${error.message}${JSON.stringify(error)}`, /secret/);
        assert.equal(error.cause, undefined);
      }
    },
  },
  {
    name: "a request that is not valid is refused with its place, and nothing runs",
    async run(law) {
      let ran = false;
      law.provide({
        echo: (request) => {
          ran = true;
          return request;
        },
      });
      // What plain JavaScript may send.
      const wrong = { text: 7 } as unknown as { text: string };
      const error = await failureOf(law.client.echo(wrong));
      assert.equal(error.code, "REQUEST_INVALID");
      const issues = error.details?.["issues"];
      assert(Array.isArray(issues) && issues.length === 1);
      assert.deepEqual(
        issues.map((issue: { pointer?: unknown }) => issue.pointer),
        ["/text"],
      );
      assert.equal(ran, false);
    },
  },
  {
    name: "a failure passes through a service that does not handle it",
    async run(law) {
      law.provide({
        echo: () => {
          throw kernelErrors.IDEMPOTENCY_IN_PROGRESS("Busy.");
        },
      });
      const error: unknown = await law
        .stand(() => law.client.echo({ text: "a" }))
        .catch((reason: unknown) => reason);
      assert(isBanyanError(error, "IDEMPOTENCY_IN_PROGRESS"));
    },
  },
];
