import { after, test } from "node:test";
import { describeLocks } from "@banyan/state/conformance";
import { FakeClock, openPostgres, postgresPrograms, findReasonToSkip } from "@banyan/testbed";
import { openPostgresState } from "./postgres-engine.ts";

const skip = await findReasonToSkip(postgresPrograms);

if (skip === false) {
  const server = await openPostgres();
  after(() => server[Symbol.asyncDispose]());
  let opened = 0;

  describeLocks({
    name: "postgres",
    runs: 30,
    open: async () => {
      const schema = `locks_${(opened += 1)}`;
      const clock = new FakeClock();
      const options = { url: server.url, schema, clock, time: "node" } as const;
      let engine = await openPostgresState(options);
      return {
        engine,
        advance: (ms) => clock.advance(ms),
        restart: async () => {
          await engine.close();
          engine = await openPostgresState(options);
          return engine;
        },
        close: () => engine.close(),
      };
    },
  });
} else {
  test("the law of locks, kept on postgres", { skip }, () => undefined);
}
