namespace :library do
  desc "Counts the books of a list of titles"
  task :titles, [:text] => :environment do |_, arguments|
    puts arguments[:text].split.map(&:titleize).tally.sort.inspect
  end
end
