package store

import "errors"

// ErrAway is wrapped by the errors of a database that cannot be asked at present, whatever the question.
var ErrAway = errors.New("the store cannot be asked")
