import assert from "node:assert/strict";
import { test } from "node:test";
import { CallRuntime } from "@banyan/kernel/internal";
import { until } from "@banyan/testbed";
import { LoadMeter, processReader } from "./load-meter.ts";
import type { LoadReading } from "./load-meter.ts";

/** A process whose times go on as the test says. */
function createProcess() {
  let now: LoadReading = { idleMs: 0, activeMs: 0, cpuMs: 0, memory: 0, calls: 0 };
  return {
    read: () => now,
    pass(
      ms: number,
      shares: { eventLoop?: number; cpu?: number; memory?: number; calls?: number },
    ) {
      const { eventLoop = 0, cpu = 0, memory = 0, calls = 0 } = shares;
      now = {
        idleMs: now.idleMs + ms * (1 - eventLoop),
        activeMs: now.activeMs + ms * eventLoop,
        cpuMs: now.cpuMs + ms * cpu,
        memory,
        calls,
      };
    },
  };
}

test("each figure is a share, and the load is the greatest of them", () => {
  const process = createProcess();
  const meter = new LoadMeter(process.read);
  process.pass(60_000, { eventLoop: 0.25, cpu: 0.5, memory: 0.125, calls: 0.75 });
  const { load, eventLoop, cpu, memory, calls } = meter.sample();
  const rounded = [load, eventLoop, cpu, memory, calls].map((share) => share.toFixed(3));
  assert.deepEqual(rounded, ["0.750", "0.250", "0.500", "0.125", "0.750"]);
});

test("more than all is all: a process on four cores, and calls over their bound", () => {
  const process = createProcess();
  const meter = new LoadMeter(process.read);
  for (let n = 0; n < 20; n += 1) {
    process.pass(60_000, { cpu: 4, calls: 1.5, memory: 2 });
    const figures = meter.sample();
    assert(Object.values(figures).every((share) => share >= 0 && share <= 1));
  }
});

test("a spike of one heartbeat is no load, and what lasts is", () => {
  const process = createProcess();
  const meter = new LoadMeter(process.read);
  process.pass(1500, { eventLoop: 1 });
  assert(meter.sample().load < 0.5);
  process.pass(1500, { eventLoop: 0 });
  assert(meter.sample().load < 0.3);
  for (let n = 0; n < 5; n += 1) {
    process.pass(1500, { eventLoop: 1 });
    meter.sample();
  }
  assert(meter.sample().load > 0.85);
});

test("how often it is looked at changes nothing, nor does looking twice at once", () => {
  const [often, seldom] = [createProcess(), createProcess()];
  const [meter, other] = [new LoadMeter(often.read), new LoadMeter(seldom.read)];
  for (let n = 0; n < 30; n += 1) {
    often.pass(100, { cpu: 0.6 });
    meter.sample();
    meter.sample();
  }
  seldom.pass(3000, { cpu: 0.6 });
  assert.equal(meter.sample().cpu.toFixed(6), other.sample().cpu.toFixed(6));
});

test("a real process that computes is seen to, and has calls and memory", async () => {
  const runtime = new CallRuntime({ inFlightMax: 4 });
  const meter = new LoadMeter(processReader({ inFlight: 1, inFlightMax: runtime.inFlightMax }));
  const compute = (): void => {
    const endMs = performance.now() + 50;
    while (performance.now() < endMs);
  };
  let figures = meter.sample();
  await until(
    () => {
      compute();
      figures = meter.sample();
      return figures.eventLoop > 0.2 && figures.cpu > 0;
    },
    { what: "it is busy" },
  );
  assert(figures.memory > 0 && figures.memory < 1, `${figures.memory}`);
  assert(figures.calls > 0 && figures.calls <= 0.25, `${figures.calls}`);
});
