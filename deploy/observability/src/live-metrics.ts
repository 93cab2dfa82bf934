/**
 * What a Prometheus knows of metrics: which are declared, which have series, and with which labels.
 * A label that is empty in every series is one that Prometheus does not keep; the text of the node
 * still shows it.
 */

import { fieldOf } from "./rule-file.ts";

export class LiveMetrics {
  readonly #url: string;
  /** Metric or sample → the labels of its series. */
  readonly #labels = new Map<string, Set<string>>();
  readonly #declared = new Set<string>();

  /** Reads everything that a Prometheus has, and the texts of what it scrapes. */
  static async read(url: string, texts: readonly string[]): Promise<LiveMetrics> {
    const live = new LiveMetrics(url);
    await live.#read();
    for (const text of texts) live.#readText(text);
    return live;
  }

  private constructor(url: string) {
    this.#url = url;
  }

  /** With a value now. */
  hasSeries(metric: string): boolean {
    return this.#labels.has(metric);
  }

  labelsOf(metric: string): ReadonlySet<string> {
    return this.#labels.get(metric) ?? new Set();
  }

  /** The metrics that texts declare: those of the nodes, without Prometheus's own. */
  get declared(): readonly string[] {
    return [...this.#declared].sort();
  }

  async #read(): Promise<void> {
    const found = await this.#get(`/api/v1/series?match[]={__name__=~".%2B"}`);
    for (const series of Array.isArray(found) ? found : []) {
      const labels = Object.entries(series as Record<string, unknown>); // an object of JSON
      const name = String(labels.find(([label]) => label === "__name__")?.[1]);
      this.#add(
        name,
        labels.map(([label]) => label),
      );
    }
    const metadata = await this.#get("/api/v1/metadata");
    for (const name of Object.keys(metadata ?? {})) this.#declared.add(name);
  }

  /** Lines such as `name{label="value"} 1`. */
  #readText(text: string): void {
    for (const line of text.split("\n")) {
      const [, name, inside = ""] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? /.exec(line) ?? [];
      if (name === undefined) continue;
      const labels = [...inside.matchAll(/(\w+)="(?:[^"\\]|\\.)*"/g)];
      if (this.#labels.has(name))
        this.#add(
          name,
          labels.map(([, label = ""]) => label),
        );
    }
  }

  #add(name: string, labels: readonly string[]): void {
    const known = this.#labels.get(name) ?? new Set();
    for (const label of labels) known.add(label);
    this.#labels.set(name, known);
  }

  async #get(path: string): Promise<object | undefined> {
    const response = await fetch(`${this.#url}${path}`, { signal: AbortSignal.timeout(10_000) });
    const data = fieldOf(await response.json(), "data");
    return typeof data === "object" && data !== null ? data : undefined;
  }
}

/** The traces that a Prometheus keeps with a metric, as it answers. */
export async function readExemplars(url: string, metric: string): Promise<string> {
  const now = Date.now() / 1000;
  const range = new URLSearchParams({ query: metric, start: `${now - 300}`, end: `${now + 60}` });
  return (await fetch(`${url}/api/v1/query_exemplars?${range.toString()}`)).text();
}
