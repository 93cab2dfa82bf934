import { after, test } from "node:test";
import { describeStateEngine } from "@banyan/state/conformance";
import { FakeClock, openMariadb, mariadbPrograms, findReasonToSkip } from "@banyan/testbed";
import { openMysqlState } from "./mysql-engine.ts";

const skip = await findReasonToSkip(mariadbPrograms);

if (skip === false) {
  const server = await openMariadb();
  after(() => server[Symbol.asyncDispose]());
  let opened = 0;

  describeStateEngine({
    name: "mysql",
    capabilities: ["expires", "revisions", "transaction", "outbox", "relay"],
    runs: 60,
    open: async () => {
      const tablePrefix = `law${(opened += 1)}_`;
      const clock = new FakeClock();
      const options = { url: server.url, tablePrefix, clock, time: "node" } as const;
      let engine = await openMysqlState(options);
      return {
        engine,
        advance: (ms) => clock.advance(ms),
        restart: async () => {
          await engine.close();
          engine = await openMysqlState(options);
          return engine;
        },
        close: () => engine.close(),
      };
    },
  });
} else {
  test("the law of state, kept by mysql", { skip }, () => undefined);
}
