/** Services that come and go. */

import assert from "node:assert/strict";
import { defineContract, t } from "@banyan/kernel";
import type { MeshCheck } from "./law-run.ts";
import { failureOf, gate } from "./law-run.ts";

export const presenceLaw: readonly MeshCheck[] = [
  {
    name: "a client works from the moment its service appears, and again when it comes back",
    async run(law) {
      const { mesh } = law.harness.near;
      assert.equal(mesh.isAvailable("law-desk"), false);
      const before = await failureOf(law.client.echo({ text: "a" }));
      assert.equal(before.code, "SERVICE_UNAVAILABLE");
      assert.match(before.message, /"law-desk".*law-front/);
      assert.equal(before.retryable, true);
      for (const text of ["first", "second"]) {
        const withdraw = law.provide({ echo: () => ({ text }) });
        assert.equal(mesh.isAvailable("law-desk"), true);
        assert.deepEqual(await law.client.echo({ text: "a" }), { text });
        await withdraw();
        await withdraw();
        assert.equal(mesh.isAvailable("law-desk"), false);
        const after = await failureOf(law.client.echo({ text: "a" }));
        assert.equal(after.code, "SERVICE_UNAVAILABLE");
      }
    },
  },
  {
    name: "an optional client is there while its service is",
    async run(law) {
      const optional = law.optionalClient();
      assert.equal(optional(), undefined);
      const withdraw = law.provide({ echo: (request) => request });
      assert.deepEqual(await optional()?.echo({ text: "a" }), { text: "a" });
      await withdraw();
      assert.equal(optional(), undefined);
    },
  },
  {
    name: "a stream of a service that is not there fails when it is read",
    async run(law) {
      const frames = law.client.count({ to: 1 })[Symbol.asyncIterator]();
      assert.equal((await failureOf(frames.next())).code, "SERVICE_UNAVAILABLE");
    },
  },
  {
    name: "an operation that the provider does not have is named, with the nearest it has",
    async run(law) {
      law.provide({ echo: (request) => request });
      const newer = defineContract("law-desk", {
        summary: "Newer.",
        version: "1.3.0",
        operations: {
          ecco: { summary: "Renamed.", request: t.Object({}), response: t.Object({}) },
          count: { summary: "No stream here.", request: t.Object({}), response: t.Object({}) },
        },
      });
      const client = law.harness.near.mesh.client(newer, { caller: "law-front" });
      const error = await failureOf(client.ecco({}));
      assert.equal(error.code, "OPERATION_UNKNOWN");
      assert.match(error.message, /law-desk\.ecco/);
      assert.match(error.message, /law-desk\.echo/);
      assert.equal((await failureOf(client.count({}))).code, "OPERATION_UNKNOWN");
    },
  },
  {
    name: "what is provided is listed by name, once each; a second one of a name is refused",
    async run(law) {
      const { far } = law.harness;
      law.provide({});
      const names = (): string[] => far.mesh.services().map(({ name }) => name);
      assert.deepEqual(names(), ["law-desk"]);
      assert.throws(() => law.provide({}), { code: "MESH_SERVICE_DUPLICATE" });
      const other = defineContract("law-bench", { summary: "Other.", version: "1.0.0" });
      const withdraw = law.provide({}, other);
      assert.deepEqual(names(), ["law-bench", "law-desk"]);
      await withdraw();
      assert.deepEqual(names(), ["law-desk"]);
    },
  },
  {
    name: "taking a service back does not touch the calls it runs",
    async run(law) {
      const go = gate();
      const withdraw = law.provide({
        echo: async (request) => {
          await go.opened;
          return request;
        },
      });
      const running = law.client.echo({ text: "a" });
      await law.advance(0);
      await withdraw();
      go.open();
      assert.deepEqual(await law.patiently("the answer", running), { text: "a" });
    },
  },
  {
    name: "a closed mesh provides nothing, takes nothing in and refuses calls by name",
    async run(law) {
      const { near, far } = law.harness;
      law.provide({ echo: (request) => request });
      await near.mesh.close();
      await near.mesh.close();
      assert.equal((await failureOf(law.client.echo({ text: "a" }))).code, "CLOSED");
      assert.equal(near.mesh.isAvailable("law-desk"), false);
      await far.mesh.close();
      assert.deepEqual(far.mesh.services(), []);
      assert.throws(() => law.provide({}), { code: "CLOSED" });
    },
  },
];
