/** One broken rule. */
export interface Offence {
  /** Where: `greeter.operations.greet.access`. */
  readonly place: string;
  /** What is wrong, naming the value. */
  readonly message: string;
  /** What to do. */
  readonly fix: string;
}
