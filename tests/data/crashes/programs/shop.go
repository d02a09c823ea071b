// A shop whose seller panics while another one waits.
package main

import (
	"fmt"
	"os"
	"time"
)

type shop struct{ stock map[string]int }

func (s *shop) sell(item string) int {
	return s.stock[item]
}

func wait() {
	time.Sleep(time.Hour)
}

func main() {
	head := os.Getenv("HEAD")
	for number := 0; number < 3; number++ {
		fmt.Printf("%scustomer %d enters the shop\n", head, number)
	}
	go wait()
	time.Sleep(10 * time.Millisecond)
	var closed *shop
	closed.sell("tea")
}
