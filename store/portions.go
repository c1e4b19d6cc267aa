package store

import (
	"iter"
	"slices"
)

// maxPortion bounds how many values are in one statement; SQLite joins at most 500 SELECTs.
const maxPortion = 256

// portions yields all values in slices of 1, 2, 4 … 256, the last one filled up by repeating its last value: statements with lists
// of a few lengths are prepared a few times, of any length any number of times. For use where a repeated value does no harm.
func portions[T any](values []T) iter.Seq[[]T] {
	return func(yield func([]T) bool) {
		for part := range slices.Chunk(values, maxPortion) {
			size := 1
			for size < len(part) {
				size *= 2
			}
			part = slices.Clip(part)
			for len(part) < size {
				part = append(part, part[len(part)-1])
			}
			if !yield(part) {
				return
			}
		}
	}
}

// pieces yields all values in slices of 1, 2, 4 … 256, the largest first, none of them repeated.
func pieces[T any](values []T) iter.Seq[[]T] {
	return func(yield func([]T) bool) {
		for size := maxPortion; len(values) > 0; {
			if size > len(values) {
				size /= 2
				continue
			}
			if !yield(values[:size:size]) {
				return
			}
			values = values[size:]
		}
	}
}
