/** The state of a node's telemetry in words: what is on, what was kept, how the exporter does. */

import { numberOf, recordOf, textOf } from "./node-answers.ts";
import type { Paint } from "./terminal.ts";
import { escaped, textTable } from "./text-table.ts";
import { agoText, durationText } from "./time-text.ts";

type Bag = Readonly<Record<string, unknown>>;
type Facts = (readonly [string, string])[];

/** What `/node/telemetry/status` answers, for people. */
export function statusText(answer: Bag, paint: Paint, nowMs: number): string {
  const traces = recordOf(answer["traces"]) ?? {};
  const exporter = recordOf(answer["exporter"]);
  const isOn = recordOf(answer["metrics"])?.["enabled"] === true;
  const facts: Facts = [
    ["resource", resourceText(answer)],
    ["metrics", isOn ? `${paint("good", "on")}, at /metrics` : off("telemetry.metrics", paint)],
    ...traceFacts(traces, paint),
    ...(exporter === undefined ? noExporter(paint) : exporterFacts(exporter, paint, nowMs)),
  ];
  return textTable(facts.map(([name, text]) => [paint("faint", name), text]));
}

function resourceText(answer: Bag): string {
  const [name, group, place] = ["serviceName", "serviceNamespace", "environment"].map((key) =>
    escaped(textOf(answer[key])),
  );
  const full = group === "" ? name : `${group}/${name}`;
  return place === "" ? `${full}` : `${full} in ${place}`;
}

function off(section: string, paint: Paint): string {
  return `${paint("warning", "off")}; ${section}.enabled=true switches them on`;
}

function traceFacts(traces: Bag, paint: Paint): Facts {
  if (traces["enabled"] !== true) return [["traces", off("telemetry.traces", paint)]];
  const count = (key: string): string => String(numberOf(traces[key]));
  const kept = recordOf(traces["kept"]) ?? {};
  const [sampled, error, slow] = ["sampled", "error", "slow"].map((key) => numberOf(kept[key]));
  const share = `${Number((100 * numberOf(traces["ratio"])).toPrecision(3))} % of new ones`;
  const slowText = durationText(numberOf(traces["slowMs"]));
  const facts: Facts = [
    ["traces", `${paint("good", "on")}: ${share}, at most ${count("perSecondMax")} a second`],
    ["", `and those that fail or take ${slowText}`],
    ["kept", `${sampled} sampled, ${error} failed, ${slow} slow; ${count("held")} in memory`],
  ];
  const lost = numberOf(traces["overBudget"]);
  if (lost > 0) {
    const setting = "telemetry.traces.notablePerSecondMax";
    facts.push(["let go", `${paint("warning", `${lost} failed or slow`)}, beyond ${setting}`]);
  }
  const dropped = numberOf(traces["spansDropped"]);
  if (dropped > 0) {
    facts.push([
      "left out",
      `${paint("warning", `${dropped} spans`)}, beyond telemetry.traces.spansMax`,
    ]);
  }
  return facts;
}

function noExporter(paint: Paint): Facts {
  const advice = "telemetry.otlp.endpoint=http://localhost:4318 sends to a receiver there";
  return [["exporter", `${paint("faint", "none")}; ${advice}`]];
}

const stateStyles = { ok: "good", failing: "bad" } as const;

function exporterFacts(exporter: Bag, paint: Paint, nowMs: number): Facts {
  const text = (key: string): string => escaped(textOf(exporter[key]));
  const count = (key: string): number => numberOf(exporter[key]);
  const state = text("state");
  const style = state === "ok" || state === "failing" ? stateStyles[state] : "faint";
  const facts: Facts = [
    ["exporter", `${paint(style, state)}: ${text("endpoint")}, ${text("protocol")}`],
    ["spans", `${count("sentSpans")} sent, ${count("queuedSpans")} waiting`],
  ];
  const lost = [
    [count("droppedSpans"), "no room in the queue"],
    [count("failedSpans"), "given up"],
    [count("rejectedSpans"), "refused by the receiver"],
  ].flatMap(([spans, why]) => (spans === 0 ? [] : [`${spans} ${why}`]));
  if (lost.length > 0) facts.push(["lost", paint("warning", lost.join(", "))]);
  const times = [
    ["last sent", "lastSuccessAt"],
    ["last failed", "lastFailureAt"],
  ] as const;
  for (const [name, key] of times) {
    if (text(key) !== "") facts.push([name, agoText(textOf(exporter[key]), nowMs)]);
  }
  if (text("lastError") !== "") {
    facts.push([
      "last error",
      state === "failing" ? paint("bad", text("lastError")) : text("lastError"),
    ]);
  }
  return facts;
}
