import { FakeClock } from "@banyan/testbed";
import { describeLocks } from "../conformance.ts";
import { openMemoryEngine } from "../memory.ts";

describeLocks({
  name: "memory",
  runs: 300,
  open: () => {
    const clock = new FakeClock();
    const engine = openMemoryEngine({ clock });
    const advance = (ms: number) => clock.advance(ms);
    return Promise.resolve({ engine, advance, close: () => engine.close() });
  },
});
