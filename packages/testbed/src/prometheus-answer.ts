/** What Prometheus answers over HTTP, read from JSON that is trusted as far as it is checked. */

/** One series at one moment. */
export interface PrometheusSample {
  /** The labels, `__name__` among them. */
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  /** When, in milliseconds. */
  readonly atMs: number;
}

/** What it scrapes, and how that goes. */
export interface PrometheusTarget {
  readonly scrapeUrl: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly health: "up" | "down" | "unknown";
  /** Empty when the last scrape went well. */
  readonly lastError: string;
}

/** A rule that was loaded, and how its last evaluation went. */
export interface PrometheusRule {
  readonly group: string;
  readonly name: string;
  readonly type: "alerting" | "recording";
  readonly query: string;
  readonly health: "ok" | "err" | "unknown";
  /** Empty when the last evaluation went well. */
  readonly lastError: string;
  /** Of an alerting rule only. */
  readonly state?: "inactive" | "pending" | "firing";
}

type Table = Readonly<Record<string, unknown>>;

/** The `data` of an answer. @throws Error with Prometheus's own words */
export function readData(body: string): Table {
  let answer: Table;
  try {
    answer = tableOf(JSON.parse(body));
  } catch (cause) {
    throw new Error(`Prometheus answered what is no JSON: ${body.slice(0, 500)}`, { cause });
  }
  if (answer["status"] === "success") return tableOf(answer["data"]);
  throw new Error(`Prometheus answered: ${textOf(answer["error"])}`);
}

/** Of a vector or a scalar; a matrix has no single value. */
export function readSamples(data: Table): PrometheusSample[] {
  switch (data["resultType"]) {
    case "scalar":
      return [sampleOf({}, data["result"])];
    case "vector":
      return listOf(data["result"]).map((each) => {
        const { metric, value } = tableOf(each);
        return sampleOf(labelsOf(metric), value);
      });
    default:
      throw new Error(`A query for samples gave a ${textOf(data["resultType"])}.`);
  }
}

/** Of every group, in the order of the files. */
export function readRules(data: Table): PrometheusRule[] {
  return listOf(data["groups"]).flatMap((each) => {
    const group = tableOf(each);
    return listOf(group["rules"]).map((rule) => ruleOf(textOf(group["name"]), tableOf(rule)));
  });
}

/** The targets that are scraped; dropped ones are left out. */
export function readTargets(data: Table): PrometheusTarget[] {
  return listOf(data["activeTargets"]).map((each) => {
    const target = tableOf(each);
    const health = textOf(target["health"]);
    return {
      scrapeUrl: textOf(target["scrapeUrl"]),
      labels: labelsOf(target["labels"]),
      health: health === "up" || health === "down" ? health : "unknown",
      lastError: textOf(target["lastError"]),
    };
  });
}

function ruleOf(group: string, rule: Table): PrometheusRule {
  const [health, state] = [textOf(rule["health"]), textOf(rule["state"])];
  return {
    group,
    name: textOf(rule["name"]),
    type: rule["type"] === "alerting" ? "alerting" : "recording",
    query: textOf(rule["query"]),
    health: health === "ok" || health === "err" ? health : "unknown",
    lastError: textOf(rule["lastError"]),
    ...(state === "inactive" || state === "pending" || state === "firing" ? { state } : {}),
  };
}

function sampleOf(labels: Readonly<Record<string, string>>, pair: unknown): PrometheusSample {
  const [seconds, value] = listOf(pair);
  const atMs = Math.round(Number(seconds) * 1000);
  return { labels, value: numberOf(textOf(value)), atMs };
}

function numberOf(text: string): number {
  if (text === "+Inf") return Number.POSITIVE_INFINITY;
  return text === "-Inf" ? Number.NEGATIVE_INFINITY : Number(text);
}

function labelsOf(value: unknown): Readonly<Record<string, string>> {
  const entries = Object.entries(tableOf(value));
  return Object.fromEntries(entries.map(([name, label]) => [name, textOf(label)]));
}

function tableOf(value: unknown): Table {
  // An object of JSON has no other keys than strings.
  if (typeof value === "object" && value !== null) return value as Table;
  throw new TypeError(`Prometheus answered ${JSON.stringify(value)} instead of an object.`);
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
