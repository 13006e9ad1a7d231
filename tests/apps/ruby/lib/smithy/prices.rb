# frozen_string_literal: true

require_relative 'table'

module Smithy
  # What things cost.
  module Prices
    def self.list(wares)
      wares.map { |ware| [ware, TABLE[ware]] }
    end
  end
end
