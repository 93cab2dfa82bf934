/**
 * A real Prometheus for one test, on a port of loopback; its life is that of every server of a test
 * (S1 to S3 of server-process).
 *
 * What it owns besides: the files of its configuration, which `reload` writes again.
 *
 * Prometheus looks every five seconds, fixed in its code, for what it is to scrape: the first
 * scrape of a new target comes that late. Rules are evaluated at once.
 */

import { mkdir, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import type { Child } from "./child.ts";
import { readData, readRules, readSamples, readTargets } from "./prometheus-answer.ts";
import type { PrometheusRule, PrometheusSample, PrometheusTarget } from "./prometheus-answer.ts";
import { prometheusPrograms } from "./promtool.ts";
import { ensurePrograms } from "./required-programs.ts";
import { ServerProcess, startOnFreePort } from "./server-process.ts";
import type { ServerCommand, ServerOptions, ServerParts } from "./server-process.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

/** What Prometheus reads when it starts and when it is told to reload. */
export interface PrometheusFiles {
  /** The text of `prometheus.yml`. Default: it scrapes nothing. */
  readonly config?: string;
  /** Files beside it, by name: `{ "rules.yml": "groups: …" }`. `rule_files` names them so. */
  readonly rules?: Readonly<Record<string, string>>;
}

export interface PrometheusOptions extends PrometheusFiles, ServerOptions {
  /** More flags, such as `--web.enable-remote-write-receiver`. */
  readonly flags?: readonly string[];
}

const ANSWER_PATIENCE_MS = 10_000;

/**
 * Starts a Prometheus and waits until it is ready. Rejects when there is none and none can be
 * installed, and when it refuses its configuration: with its own words.
 */
export async function openPrometheus(options: PrometheusOptions = {}): Promise<PrometheusServer> {
  const { config = "", rules = {}, flags = [], startTimeoutMs } = options;
  const { prometheus: program } = await ensurePrograms(prometheusPrograms);
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryDirectory("prometheus"));
  await mkdir(folder.join("data"));
  await writeFiles(folder.path, { config, rules });
  const parts = {
    what: "Prometheus",
    folder,
    program,
    flags,
    ...(startTimeoutMs === undefined ? {} : { startTimeoutMs }),
  };
  const server = await startOnFreePort((port) => new PrometheusServer({ ...parts, port }));
  stack.move(); // the server removes its folder
  return server;
}

interface PrometheusParts extends ServerParts {
  readonly program: string;
  readonly flags: readonly string[];
  readonly port: number;
}

/** A Prometheus that runs; `openPrometheus` makes it. */
export class PrometheusServer extends ServerProcess {
  readonly port: number;
  readonly #program: string;
  readonly #flags: readonly string[];

  /** Use `openPrometheus`. */
  constructor(parts: PrometheusParts) {
    super(parts);
    this.port = parts.port;
    this.#program = parts.program;
    this.#flags = parts.flags;
  }

  /** `http://127.0.0.1:49152`. */
  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** The samples of a PromQL query, now. Rejects with Prometheus's own words. */
  async query(promql: string): Promise<PrometheusSample[]> {
    const parameters = new URLSearchParams({ query: promql });
    return readSamples(readData(await this.#get(`/api/v1/query?${parameters.toString()}`)));
  }

  /** What it scrapes, and how that goes. */
  async targets(): Promise<PrometheusTarget[]> {
    return readTargets(readData(await this.#get("/api/v1/targets?state=active")));
  }

  /** The rules it has loaded, and how they are. */
  async rules(): Promise<PrometheusRule[]> {
    return readRules(readData(await this.#get("/api/v1/rules")));
  }

  /** Writes what is given and has it read; what it held stays. Rejects when it is refused. */
  async reload(files: PrometheusFiles = {}): Promise<void> {
    await writeFiles(this.directory, files);
    await this.#get("/-/reload", "POST");
  }

  protected command(): ServerCommand {
    const own = [
      "--config.file=prometheus.yml",
      "--storage.tsdb.path=data",
      `--web.listen-address=127.0.0.1:${this.port}`,
      "--web.enable-lifecycle",
      "--scrape.discovery-reload-interval=100ms", // new targets are scraped in time for a test
      "--log.level=info", // that it is ready is said there
    ];
    return { program: this.#program, args: [...this.#flags, ...own] };
  }

  protected async untilReady(child: Child, timeoutMs: number): Promise<void> {
    await child.waitForLine(/ready to receive web requests/i, { timeoutMs });
  }

  async #get(path: string, method = "GET"): Promise<string> {
    const signal = AbortSignal.timeout(ANSWER_PATIENCE_MS);
    const response = await fetch(`${this.url}${path}`, { method, signal });
    const body = await response.text();
    // An answer of the API says itself what went wrong.
    if (response.ok || path.startsWith("/api/")) return body;
    throw new Error(`Prometheus answered ${response.status} to ${path}: ${body.trim()}`);
  }
}

async function writeFiles(folder: string, { config, rules = {} }: PrometheusFiles): Promise<void> {
  const files = { ...rules, ...(config === undefined ? {} : { "prometheus.yml": config }) };
  for (const [name, text] of Object.entries(files)) {
    if (basename(name) !== name) throw new Error(`"${name}" is no plain name of a file.`);
    await writeFile(`${folder}/${name}`, text);
  }
}
