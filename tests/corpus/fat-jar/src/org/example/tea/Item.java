package org.example.tea;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import java.math.BigDecimal;

@JsonInclude(JsonInclude.Include.NON_NULL)
public record Item(Integer id, String name, BigDecimal price, @JsonProperty("in_stock") boolean stock, String picked) {}
