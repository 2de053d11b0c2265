package counters

import (
	"container/list"
	"time"
)

// Remembered are the most recent things of one kind by a key, at most max of them.
type Remembered[K comparable, V any] struct {
	limit int
	byKey map[K]*list.Element
	order *list.List // of *memory[K, V], least recently heard of first
}

type memory[K comparable, V any] struct {
	key   K
	heard time.Time
	value V
}

// NewRemembered returns an empty memory for at most limit things.
func NewRemembered[K comparable, V any](limit int) *Remembered[K, V] {
	return &Remembered[K, V]{limit: limit, byKey: map[K]*list.Element{}, order: list.New()}
}

// SetLimit makes limit the most things from now on; those beyond it go when the next one comes.
func (r *Remembered[K, V]) SetLimit(limit int) { r.limit = limit }

// Get returns the thing with the key, or nil. It stays as old as it was.
func (r *Remembered[K, V]) Get(key K) *V {
	if at := r.byKey[key]; at != nil {
		return &at.Value.(*memory[K, V]).value
	}
	return nil
}

// Heard returns the thing with the key, which is made if there is none, and notes that it was heard of at now. The
// least recently heard of makes room.
func (r *Remembered[K, V]) Heard(key K, now time.Time) (value *V, isNew bool) {
	if at := r.byKey[key]; at != nil {
		r.order.MoveToBack(at)
		m := at.Value.(*memory[K, V])
		m.heard = now
		return &m.value, false
	}
	for len(r.byKey) >= r.limit {
		r.drop(r.order.Front())
	}
	m := &memory[K, V]{key: key, heard: now}
	r.byKey[key] = r.order.PushBack(m)
	return &m.value, true
}

// Forget drops what was last heard of before a moment.
func (r *Remembered[K, V]) Forget(before time.Time) {
	for at := r.order.Front(); at != nil && at.Value.(*memory[K, V]).heard.Before(before); at = r.order.Front() {
		r.drop(at)
	}
}

// Drop drops the thing with the key, if there is one.
func (r *Remembered[K, V]) Drop(key K) {
	if at := r.byKey[key]; at != nil {
		r.drop(at)
	}
}

func (r *Remembered[K, V]) drop(at *list.Element) {
	delete(r.byKey, r.order.Remove(at).(*memory[K, V]).key)
}

// All calls each for everything, the least recently heard of first.
func (r *Remembered[K, V]) All(each func(key K, heard time.Time, value *V)) {
	for at := r.order.Front(); at != nil; at = at.Next() {
		m := at.Value.(*memory[K, V])
		each(m.key, m.heard, &m.value)
	}
}

// Full tells whether the next new thing needs the room of another.
func (r *Remembered[K, V]) Full() bool { return len(r.byKey) >= r.limit }

// Oldest returns what was not heard of for longest; ok is false if there is nothing.
func (r *Remembered[K, V]) Oldest() (key K, heard time.Time, value *V, ok bool) {
	at := r.order.Front()
	if at == nil {
		return key, heard, nil, false
	}
	m := at.Value.(*memory[K, V])
	return m.key, m.heard, &m.value, true
}
