/**
 * The runner's side of a subject: starts its process, asks, ends it.
 *
 * What it owns: one child process with a message channel.
 * What may interrupt it: the child's death, at any moment.
 *
 * I1. One question at a time; a question that cannot be answered any more is a rejection.
 * I2. After disposal the process is gone.
 */

import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { atProcessEnd } from "@banyan/testbed";
import type { AnswerMessage, AskMessage, Figures, Question } from "./subject.ts";

export interface SubjectOptions {
  readonly args?: readonly string[];
  /** Read the packages' sources instead of what was built: for tests of the runner alone. */
  readonly fromSource: boolean;
}

/** Flags that every measured Node process gets. */
export function nodeFlags({ fromSource }: Pick<SubjectOptions, "fromSource">): string[] {
  const quiet = "--disable-warning=ExperimentalWarning";
  return fromSource ? [quiet, "--conditions=source"] : [quiet];
}

/** Starts a subject and waits until it is ready. */
export async function openSubject(file: URL, options: SubjectOptions): Promise<SubjectProcess> {
  const { args = [] } = options;
  const child = spawn(process.execPath, [...nodeFlags(options), fileURLToPath(file), ...args], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    env: { ...measuredEnvironment(), ...(options.fromSource ? compileCache() : {}) },
  });
  const subject = new SubjectProcess(child, `${file.pathname.split("/").at(-1)} ${args.join(" ")}`);
  await subject.ready;
  return subject;
}

/** Where a test of the runner has one: it measures nothing, and starts many. */
function compileCache(): NodeJS.ProcessEnv {
  const { NODE_COMPILE_CACHE } = process.env;
  return NODE_COMPILE_CACHE === undefined ? {} : { NODE_COMPILE_CACHE };
}

/** What a test runner or a shell around us left behind must not change what is measured. */
export function measuredEnvironment(): NodeJS.ProcessEnv {
  const env = { ...process.env, NO_COLOR: "1" };
  for (const name of Object.keys(env)) {
    if (/^(?:NODE_|BANYAN_|FORCE_COLOR)/.test(name)) Reflect.deleteProperty(env, name);
  }
  return env;
}

type Waiting = (answer: AnswerMessage) => void;

export class SubjectProcess implements AsyncDisposable {
  /** What the subject said of itself when it was ready. */
  facts: Question = {};
  readonly ready: Promise<void>;
  readonly #child: ChildProcess;
  readonly #name: string;
  readonly #forget: () => void;
  #waiting: Waiting | undefined;

  constructor(child: ChildProcess, name: string) {
    this.#child = child;
    this.#name = name;
    this.#forget = atProcessEnd(() => void child.kill("SIGKILL"));
    child.on("message", (answer: AnswerMessage) => this.#answer(answer));
    child.on("exit", (code) => {
      this.#answer({ kind: "failed", error: `it ended with code ${code}` });
    });
    this.ready = this.#next().then((answer) => {
      if (answer.kind === "ready") this.facts = answer.facts;
    });
    // Who opens the subject waits for it; whoever comes later has the same error.
    this.ready.catch(() => undefined);
  }

  /** Asks for one measure; resolves with its figures. */
  async ask(measure: string, question: Question): Promise<Figures> {
    if (!this.#child.connected) throw this.#error("it is gone");
    const answer = this.#next();
    const message: AskMessage = { measure, question };
    this.#child.send(message);
    const { kind, ...rest } = await answer;
    if (kind !== "figures" || !("figures" in rest)) throw this.#error(`it answered "${kind}"`);
    return rest.figures;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#forget();
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await exited;
  }

  #next(): Promise<AnswerMessage> {
    const { promise, resolve, reject } = Promise.withResolvers<AnswerMessage>();
    this.#waiting = (answer) => {
      if (answer.kind === "failed") reject(this.#error(answer.error));
      else resolve(answer);
    };
    return promise;
  }

  #answer(answer: AnswerMessage): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.(answer);
  }

  #error(what: string): Error {
    return new Error(`The subject ${this.#name} failed: ${what}`);
  }
}
