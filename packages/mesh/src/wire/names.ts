/** Names that are said once on a connection, and are numbers from then on. */

import type { Principal } from "@banyan/kernel";

/** Who calls: the service, and on whose behalf. */
export interface CallerContext {
  readonly caller: string | undefined;
  readonly principal: Principal;
}

/** Numbers of a kind; past it they are given anew. */
const numbersMax = 1024;

/** What this side says by number. */
export class SaidNames {
  readonly #operations = new Map<string, number>();
  #contexts = new Map<Principal, Map<string | undefined, number>>();
  #nextOperation = 0;
  #nextContext = 0;

  /** Its number; `define` is called where it has to be said first, and throws to say nothing. */
  operation(name: string, define: (number: number) => void): number {
    const known = this.#operations.get(name);
    if (known !== undefined) return known;
    if (this.#nextOperation === numbersMax) {
      this.#nextOperation = 0;
      this.#operations.clear();
    }
    const number = this.#nextOperation;
    define(number);
    this.#nextOperation += 1;
    this.#operations.set(name, number);
    return number;
  }

  /** By the principal's identity: they are frozen, and one object for many calls. */
  context({ caller, principal }: CallerContext, define: (number: number) => void): number {
    const ofPrincipal = this.#contexts.get(principal);
    const known = ofPrincipal?.get(caller);
    if (known !== undefined) return known;
    if (this.#nextContext === numbersMax) {
      this.#nextContext = 0;
      this.#contexts = new Map();
    }
    const number = this.#nextContext;
    define(number);
    this.#nextContext += 1;
    const numbers = this.#contexts.get(principal) ?? new Map<string | undefined, number>();
    this.#contexts.set(principal, numbers.set(caller, number));
    return number;
  }
}

/** Characters of the longest name of an operation. */
export const nameLengthMax = 1000;

/** What the other side has said. */
export class HeardNames {
  readonly operations: (string | undefined)[] = [];
  readonly contexts: (CallerContext | undefined)[] = [];

  /** @throws RangeError for what defines nothing */
  define(value: unknown): void {
    if (typeof value !== "object" || value === null) throw new RangeError("no definition");
    // A cast to a bag of unknowns: every field is narrowed below before use.
    const { number, operation, principal, caller } = value as Readonly<Record<string, unknown>>;
    const isNumber = typeof number === "number" && Number.isInteger(number);
    if (!isNumber || number < 0 || number >= numbersMax) {
      throw new RangeError("a definition without a number");
    }
    if (typeof operation === "string") {
      // It stands in every refusal of it.
      if (operation.length > nameLengthMax) throw new RangeError("a name that is too long");
      this.operations[number] = operation;
    } else if (isPrincipal(principal)) {
      this.contexts[number] = Object.freeze({
        caller: typeof caller === "string" ? caller : undefined,
        principal: Object.freeze(principal),
      });
    } else throw new RangeError("a definition of nothing");
  }
}

function isPrincipal(value: unknown): value is Principal {
  if (typeof value !== "object" || value === null || !("kind" in value)) return false;
  if (value.kind === "anonymous" || value.kind === "operator") return true;
  if (value.kind !== "account" && value.kind !== "service") return false;
  return "id" in value && typeof value.id === "string";
}
