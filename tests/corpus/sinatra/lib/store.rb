# frozen_string_literal: true

require 'sequel'

class App
  # The items, in sqlite.
  module Store
    DB = Sequel.connect("sqlite://#{File.expand_path('../data/items.db', __dir__)}")
    DB.extension :pagination
    DB.create_table?(:items) do
      primary_key :id
      String :name
    end
    Sequel.extension :pg_array_ops, :inflector
    Item = Class.new(Sequel::Model(:items)) { plugin :validation_helpers; plugin :serialization }

    def self.all = DB[:items].order(:id).all
    def self.add(name) = Item.create(name: name.singularize).id
  end
end
