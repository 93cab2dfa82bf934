/** What crosses with a call: requests, answers, and who asks. */

import assert from "node:assert/strict";
import type { Call } from "@banyan/kernel";
import { currentCall, defineContract, t } from "@banyan/kernel";
import { currentCallContext } from "@banyan/kernel/internal";
import type { Echo, MeshCheck } from "./law-run.ts";
import { gate, lawPrincipal } from "./law-run.ts";

const copies: readonly MeshCheck[] = [
  {
    name: "a request is copied when the call is made",
    async run(law) {
      let seen: Echo | undefined;
      law.provide({
        echo: (request) => {
          seen = request;
          request.list?.push("by the handler");
          return { text: "ok" };
        },
      });
      const request = { text: "a", list: ["x"] };
      const answered = law.client.echo(request);
      request.text = "changed";
      request.list.push("by the caller");
      await answered;
      assert.deepEqual(seen, { text: "a", list: ["x", "by the handler"] });
      assert.deepEqual(request, { text: "changed", list: ["x", "by the caller"] });
    },
  },
  {
    name: "an answer is copied: no object is shared with the handler or another caller",
    async run(law) {
      const kept: Echo = { text: "kept", list: ["x"] };
      law.provide({ echo: () => kept });
      const first: Echo = await law.client.echo({ text: "a" });
      first.text = "changed";
      first.list?.push("by the caller");
      assert.deepEqual(kept, { text: "kept", list: ["x"] });
      assert.deepEqual(await law.client.echo({ text: "a" }), kept);
    },
  },
  {
    name: "groups are nested, and an operation without response answers nothing",
    async run(law) {
      let why = "";
      law.provide({
        "admin.reset": (request) => {
          why = request.why;
        },
      });
      assert.equal(await law.client.admin.reset({ why: "full" }), undefined);
      assert.equal(why, "full");
    },
  },
  {
    name: "fields that the provider does not know are ignored, so that callers may be newer",
    async run(law) {
      let seen: unknown;
      const operations = {
        echo: {
          summary: "Echo.",
          request: t.Object({ text: t.String() }),
          response: t.Object({ text: t.String() }),
        },
      };
      const older = defineContract("law-desk", { summary: "Older.", version: "1.1.0", operations });
      const echo = (request: Echo): Echo => {
        seen = request;
        return { text: "ok", list: ["unknown as well"] };
      };
      law.provide({ echo }, older);
      assert.deepEqual(await law.client.echo({ text: "a", list: ["x"] }), { text: "ok" });
      assert.deepEqual(seen, { text: "a" });
    },
  },
];

/** Notes what a handler sees of its call. */
function noted(call: Call): Record<string, unknown> {
  const { principal, caller, idempotencyKey, trace } = call;
  return { principal, caller, idempotencyKey, traceId: trace.traceId, below: trace.parentSpanId };
}

const contexts: readonly MeshCheck[] = [
  {
    name: "principal and trace are inherited from the calling operation; the caller is named",
    async run(law) {
      let seen: unknown;
      law.provide({
        echo: (request, call) => {
          seen = noted(call);
          return request;
        },
      });
      const trace = await law.stand(async (call) => {
        await law.client.echo({ text: "a" });
        return call.trace;
      });
      assert.deepEqual(seen, {
        principal: lawPrincipal,
        caller: "law-front",
        idempotencyKey: undefined,
        traceId: trace.traceId,
        below: trace.spanId,
      });
    },
  },
  {
    name: "a call may be passed on explicitly, alone or among options",
    async run(law) {
      const seen: unknown[] = [];
      law.provide({
        echo: (request, call) => {
          seen.push(call.principal);
          return request;
        },
      });
      let kept: Call | undefined;
      const over = gate();
      const standing = law.stand(async (call) => {
        kept = call;
        await over.opened;
      });
      assert(kept !== undefined);
      await law.client.echo({ text: "a" }, kept);
      await law.client.echo({ text: "a" }, { call: kept });
      over.open();
      await standing;
      assert.deepEqual(seen, [lawPrincipal, lawPrincipal]);
    },
  },
  {
    name: "work of a service's own runs as that service, in a trace of its own",
    async run(law) {
      const seen: ReturnType<typeof noted>[] = [];
      law.provide({
        echo: (request, call) => {
          seen.push(noted(call));
          return request;
        },
      });
      await law.client.echo({ text: "a" });
      await law.client.echo({ text: "a" });
      assert.deepEqual(seen[0]?.["principal"], { kind: "service", id: "law-front" });
      assert.notEqual(seen[0]?.["traceId"], seen[1]?.["traceId"]);
    },
  },
  {
    name: "an idempotency key crosses, and is not inherited",
    async run(law) {
      const keys: (string | undefined)[] = [];
      law.provide({
        echo: (request, call) => {
          keys.push(call.idempotencyKey);
          return request;
        },
      });
      const options = { idempotencyKey: "order-7" };
      await law.client.echo({ text: "a" }, options);
      await law.stand(() => law.client.echo({ text: "b" }), options);
      assert.deepEqual(keys, ["order-7", undefined]);
    },
  },
  {
    name: "a call belongs to what the calling operation belongs to: its correlation id crosses",
    async run(law) {
      const seen: (string | undefined)[] = [];
      const note = (): void => void seen.push(currentCallContext()?.correlationId);
      law.provide({
        echo: (request) => {
          note();
          return request;
        },
        async *count() {
          note();
          yield { n: 1 };
        },
      });
      const call = async (): Promise<void> => {
        await law.client.echo({ text: "a" });
        for await (const { n } of law.client.count({ to: 1 })) assert.equal(n, 1);
      };
      await law.stand(call, { correlationId: "order-7, Grüße" });
      await law.stand(call);
      const expected = "order-7, Grüße";
      assert.deepEqual(seen, [expected, expected, undefined, undefined]);
    },
  },
  {
    name: "concurrent calls do not mix their contexts",
    async run(law) {
      const seen = new Map<string, unknown>();
      const go = gate();
      law.provide({
        echo: async (request, call) => {
          await go.opened;
          assert.equal(currentCall(), call);
          seen.set(request.text, call.principal);
          return request;
        },
      });
      const names = ["ada", "bob", "eve", "joe"];
      const runs = names.map((id) =>
        law.stand(() => law.client.echo({ text: id }), { principal: { kind: "account", id } }),
      );
      go.open();
      await Promise.all(runs);
      for (const id of names) assert.deepEqual(seen.get(id), { kind: "account", id });
    },
  },
];

export const callLaw: readonly MeshCheck[] = [...copies, ...contexts];
