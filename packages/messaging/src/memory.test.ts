import { FakeClock } from "@banyan/testbed";
import { describeBus } from "./conformance.ts";
import { openMemoryBus } from "./memory.ts";

describeBus({
  name: "memory bus",
  capabilities: [],
  open: async () => {
    const clock = new FakeClock();
    return {
      bus: openMemoryBus({ clock }),
      nowMs: () => clock.monotonicMs(),
      advance: (ms) => clock.advance(ms),
    };
  },
});
