/** What a verb is as data: the shape of the rows of the verb table. */

/** What stands for a value on the command line, for completion in a shell. */
export type Completion =
  | "file"
  | "folder"
  | "service"
  | "service.operation"
  | "operation"
  | "operation-field"
  | "store"
  | "store-field"
  | "topic"
  | "topic-field"
  | "subscription"
  | "trace"
  | "trace-name"
  | "level"
  | "service-or-level"
  | "shell"
  | "verb";

export interface FlagSpec {
  readonly name: string;
  readonly short?: string;
  /** Name of its value in help; a flag without one is a switch. */
  readonly value?: string;
  /** May be given more than once. */
  readonly multiple?: boolean;
  readonly summary: string;
  readonly completes?: Completion;
}

export interface ArgumentSpec {
  readonly name: string;
  readonly required: boolean;
  /** Takes everything that is left. */
  readonly rest?: boolean;
  readonly completes?: Completion;
}

export interface ExampleSpec {
  readonly line: string;
  readonly says: string;
}

export interface VerbSpec {
  /** One to three words: `up`, `config show`, `events dead-letters list`. */
  readonly name: string;
  readonly summary: string;
  readonly args: readonly ArgumentSpec[];
  readonly flags: readonly FlagSpec[];
  readonly examples: readonly ExampleSpec[];
  /** What a script needs to know of `--json`, and the like; a sentence or two each. */
  readonly notes?: readonly string[];
  /** Asked by programs, not by people: no help names it. */
  readonly hidden?: true;
}
