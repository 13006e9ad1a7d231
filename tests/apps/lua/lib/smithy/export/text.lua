return function(wares) return "text: " .. table.concat(wares, ",") end
