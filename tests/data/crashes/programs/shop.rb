# A shop whose till fails because the stock failed.
head = ENV.fetch('HEAD', '')
$stdout.sync = true
STOCK = { 'milk' => 3 }.freeze

def take(item)
  STOCK.fetch(item)
end

def sell(item)
  take(item)
rescue KeyError
  raise "cannot sell #{item}"
end

3.times { |number| puts "#{head}customer #{number} enters the shop" }
sell('tea')
