local table_of = require("smithy.table")
local M = {}

function M.list(wares)
  return wares[1] .. "=" .. table_of[wares[1]]
end

return M
