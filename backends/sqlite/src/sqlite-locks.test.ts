import { describeLocks } from "@banyan/state/conformance";
import { FakeClock, temporaryDirectory } from "@banyan/testbed";
import { openSqlite } from "./sqlite-engine.ts";

describeLocks({
  name: "sqlite",
  runs: 50,
  open: async () => {
    const directory = await temporaryDirectory("sqlite");
    const file = directory.join("state.db");
    const clock = new FakeClock();
    let engine = await openSqlite({ file, clock });
    return {
      engine,
      advance: (ms) => clock.advance(ms),
      restart: async () => {
        await engine.close();
        engine = await openSqlite({ file, clock });
        return engine;
      },
      close: async () => {
        await engine.close();
        await directory[Symbol.asyncDispose]();
      },
    };
  },
});
