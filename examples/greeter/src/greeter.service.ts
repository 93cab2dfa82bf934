/** The greeter's code: one handler, one store, one event. */

import { defineService } from "@banyan/kernel";
import { greeter } from "./greeter.contract.ts";

export default defineService(greeter, ({ stores, publish, config }) => ({
  operations: {
    async greet({ name }, call) {
      const { count } = await stores.visits.update(
        name,
        (visit) => ({ count: (visit?.count ?? 0) + 1 }),
        call,
      );
      await publish("greeted", { name, count });
      return { text: `${config.salutation}, ${name}!`, count };
    },
  },
}));
