# frozen_string_literal: true

module Smithy
  TABLE = { 'anvil' => 80, 'hammer' => 12.5, 'tongs' => 3.1 }.freeze
end
