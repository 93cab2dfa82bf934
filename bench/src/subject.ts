/**
 * The side of a subject: a process that measures what it is asked to, one question at a time.
 *
 * Every subject has a process of its own. In one process the first to run would train the compiler
 * for the next, and one's garbage would be collected on the other's time.
 */

/** Named figures of one round, such as `{ rate: 1_200_000 }`. */
export type Figures = Readonly<Record<string, number>>;
export type Question = Readonly<Record<string, number | string>>;
export type Measure = (question: Question) => Figures | Promise<Figures>;

/** What goes to a subject, and what comes back. */
export interface AskMessage {
  readonly measure: string;
  readonly question: Question;
}
export type AnswerMessage =
  | { readonly kind: "ready"; readonly facts: Question }
  | { readonly kind: "figures"; readonly figures: Figures }
  | { readonly kind: "failed"; readonly error: string };

/** Tells the runner that the subject is ready, with its facts, and answers from then on. */
export function serveMeasures(
  measures: Readonly<Record<string, Measure>>,
  facts: Question = {},
): void {
  process.on("message", (message: AskMessage) => {
    void answer(measures, message).then(tell);
  });
  // The runner is gone: nobody asks any more.
  process.on("disconnect", () => process.exit(0));
  tell({ kind: "ready", facts });
}

async function answer(
  measures: Readonly<Record<string, Measure>>,
  { measure: name, question }: AskMessage,
): Promise<AnswerMessage> {
  try {
    const measure = measures[name];
    if (measure === undefined) throw new Error(`There is no measure "${name}".`);
    return { kind: "figures", figures: await measure(question) };
  } catch (error) {
    return { kind: "failed", error: error instanceof Error ? String(error.stack) : String(error) };
  }
}

function tell(message: AnswerMessage): void {
  process.send?.(message);
}
