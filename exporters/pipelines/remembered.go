package pipelines

import (
	"container/list"
	"time"
)

// remembered are the most recent things of one kind by a key, at most max of them.
type remembered[K comparable, V any] struct {
	max   int
	byKey map[K]*list.Element
	order *list.List // of *memory[K, V], least recently heard of first
}

type memory[K comparable, V any] struct {
	key   K
	heard time.Time
	value V
}

func newRemembered[K comparable, V any](limit int) *remembered[K, V] {
	return &remembered[K, V]{max: limit, byKey: map[K]*list.Element{}, order: list.New()}
}

// get returns the thing with the key, or nil. It stays as old as it was.
func (r *remembered[K, V]) get(key K) *V {
	if at := r.byKey[key]; at != nil {
		return &at.Value.(*memory[K, V]).value
	}
	return nil
}

// heard returns the thing with the key, which is made if there is none, and notes that it was heard of at now. The
// least recently heard of makes room.
func (r *remembered[K, V]) heard(key K, now time.Time) (value *V, isNew bool) {
	if at := r.byKey[key]; at != nil {
		r.order.MoveToBack(at)
		m := at.Value.(*memory[K, V])
		m.heard = now
		return &m.value, false
	}
	for len(r.byKey) >= r.max {
		r.drop(r.order.Front())
	}
	m := &memory[K, V]{key: key, heard: now}
	r.byKey[key] = r.order.PushBack(m)
	return &m.value, true
}

// forget drops what was last heard of before a moment.
func (r *remembered[K, V]) forget(before time.Time) {
	for at := r.order.Front(); at != nil && at.Value.(*memory[K, V]).heard.Before(before); at = r.order.Front() {
		r.drop(at)
	}
}

func (r *remembered[K, V]) drop(at *list.Element) {
	delete(r.byKey, r.order.Remove(at).(*memory[K, V]).key)
}

// all calls each for everything, the least recently heard of first.
func (r *remembered[K, V]) all(each func(key K, heard time.Time, value *V)) {
	for at := r.order.Front(); at != nil; at = at.Next() {
		m := at.Value.(*memory[K, V])
		each(m.key, m.heard, &m.value)
	}
}
