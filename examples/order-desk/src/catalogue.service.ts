/** The catalogue's code: one store behind three operations. */

import { defineService } from "@banyan/kernel";
import { catalogue } from "./catalogue.contract.ts";
import { listed } from "./wording.ts";

export default defineService(catalogue, ({ stores }) => ({
  operations: {
    async put(item, call) {
      await stores.items.set(item.id, item, call);
      return item;
    },

    async get({ id }, call) {
      const item = await stores.items.get(id, call);
      if (item !== undefined) return item;
      throw catalogue.errors.CATALOGUE_ITEM_UNKNOWN(
        `There is no item "${id}"; catalogue.list shows what there is.`,
      );
    },

    list: async (page, { signal }) => listed(await stores.items.scan({ ...page, signal })),
  },
}));
