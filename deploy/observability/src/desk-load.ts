/** A load on an order desk, with callers' mistakes and faults among it. */

import { systemClock } from "@banyan/kernel";

export interface DeskLoad {
  /** Of the node, without a slash at the end. */
  readonly url: string;
  /** The operator's: some operations of the shop are internal. */
  readonly token: string;
  readonly forMs: number;
  /** Orders under way at once. */
  readonly clients: number;
  /** Events that nobody can handle. */
  readonly deadLetters: number;
}

export interface LoadCounts {
  readonly orders: number;
  readonly faults: number;
  readonly mistakes: number;
}

/** Orders as fast as the desk takes them; a fault and a mistake five times a second. */
export async function loadDesk(load: DeskLoad): Promise<LoadCounts> {
  const { clients, deadLetters, forMs } = load;
  const ask = (operation: string, request: object = {}): Promise<number> =>
    post(load, operation, request);
  await ask("catalogue/put", { id: "cup", name: "Cup", priceCents: 400 });
  await ask("stock/receive", { item: "cup", count: 500_000 });
  await ask("grumbler/grumble", { count: deadLetters });
  const counts = { orders: 0, faults: 0, mistakes: 0 };
  const endsAt = systemClock.monotonicMs() + forMs;
  const goesOn = (): boolean => systemClock.monotonicMs() < endsAt;

  const placeOrders = async (): Promise<void> => {
    while (goesOn()) {
      if ((await ask("orders/place", { item: "cup", count: 1 })) === 200) counts.orders += 1;
      await ask("orders/list", { limit: 1 });
      await systemClock.sleep(20);
    }
  };
  const doWrong = async (): Promise<void> => {
    while (goesOn()) {
      if ((await ask("grumbler/fail")) === 500) counts.faults += 1;
      if ((await ask("orders/place", { item: "no-such", count: 1 })) === 404) counts.mistakes += 1;
      await systemClock.sleep(200);
    }
  };
  await Promise.all([...Array.from({ length: clients }, placeOrders), doWrong()]);
  return counts;
}

/** The status of the answer. */
async function post(
  { url, token }: Pick<DeskLoad, "url" | "token">,
  operation: string,
  request: object,
): Promise<number> {
  const response = await fetch(`${url}/${operation}`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
    body: JSON.stringify(request),
  });
  await response.arrayBuffer();
  return response.status;
}
