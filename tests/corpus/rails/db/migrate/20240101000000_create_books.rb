class CreateBooks < ActiveRecord::Migration[6.1]
  def change
    create_table :books do |t|
      t.string :title, null: false
      t.string :isbn
      t.decimal :price, precision: 8, scale: 2
      t.date :published_on
      t.integer :borrowed, default: 0
      t.text :tags
      t.datetime :created_at
    end
    create_table :users do |t|
      t.string :name
      t.string :password_digest
    end
  end
end
