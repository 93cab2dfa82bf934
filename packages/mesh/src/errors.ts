/** The mesh's own error codes. What calls answer in general stands in the kernel's catalogue. */

import { defineErrors } from "@banyan/kernel";

export const meshErrors = defineErrors({
  MESH_SERVICE_DUPLICATE: {
    kind: "already_exists",
    summary: "A node provides each service once; another one of the same name is provided already.",
  },
  MESH_OPTIONS_INVALID: {
    kind: "invalid_argument",
    summary: "An option of the mesh is unknown or out of bounds; the message names it and the fix.",
  },
});
