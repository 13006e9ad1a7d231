return function(wares) return "csv: " .. table.concat(wares, ",") end
