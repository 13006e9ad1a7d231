require 'yaml'

module Exporters
  Yaml = ->(rows) { rows.map { |row| row.transform_keys(&:to_s) }.to_yaml }
end
