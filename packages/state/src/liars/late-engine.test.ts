import { FakeClock } from "@banyan/testbed";
import { describeStateEngine } from "../conformance.ts";
import { openLateEngine } from "./late-engine.ts";

describeStateEngine({
  name: "the late engine, which is honest",
  capabilities: ["expires", "revisions", "transaction", "outbox"],
  open: () => {
    const clock = new FakeClock();
    const engine = openLateEngine({ clock });
    return Promise.resolve({
      engine,
      advance: (ms) => clock.advance(ms),
      close: () => engine.close(),
    });
  },
});
