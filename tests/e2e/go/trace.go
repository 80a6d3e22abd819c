// A program that traces itself: goroutines that compute, sleep and wait for each other, annotations, and a profile at the same time.
package main

import (
	"context"
	"io"
	"os"
	"runtime/pprof"
	"runtime/trace"
	"sync"
	"time"
)

func hog(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
	}
}

func main() {
	f, err := os.Create(os.Args[1])
	if err != nil {
		panic(err)
	}
	if err := trace.Start(f); err != nil {
		panic(err)
	}
	pprof.StartCPUProfile(io.Discard)
	ctx, task := trace.NewTask(context.Background(), "work")
	var wg sync.WaitGroup
	ping, pong := make(chan int), make(chan int)
	for i := 0; i < 4; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for j := 0; j < 3; j++ {
				trace.WithRegion(ctx, "hog", func() { hog(20 * time.Millisecond) })
			}
			trace.Log(ctx, "key", "value")
			time.Sleep(20 * time.Millisecond)
		}()
	}
	go func() {
		for v := range ping {
			pong <- v + 1
		}
		close(pong)
	}()
	for i := 0; i < 1000; i++ {
		ping <- i
		<-pong
	}
	close(ping)
	wg.Wait()
	time.Sleep(1100 * time.Millisecond) // into the next generation
	task.End()
	pprof.StopCPUProfile()
	trace.Stop()
	if err := f.Close(); err != nil {
		panic(err)
	}
}
