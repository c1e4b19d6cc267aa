package chattest_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat/chattest"
)

// dripping answers with one line, and with another one when told to.
func dripping(more <-chan struct{}) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("a", 1000))
		_ = http.NewResponseController(w).Flush()
		select {
		case <-more:
			_, _ = io.WriteString(w, strings.Repeat("b", 1000))
		case <-r.Context().Done():
		}
	}
}

func TestProxy(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		cut  func(*chattest.Proxy)
		want error
	}{
		{"left alone", func(*chattest.Proxy) {}, nil},
		{"reset", (*chattest.Proxy).Reset, syscall.ECONNRESET},
		{"cut in the answer", func(p *chattest.Proxy) { p.CutAfterWriting(500) }, syscall.ECONNRESET},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			chattest.CheckLeaks(t)
			more := make(chan struct{})
			proxy := chattest.NewProxy(t, chattest.Serve(t, dripping(more)).URL)
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
			res, err := client.Get(proxy.URL)
			require.NoError(t, err)
			defer func() { _ = res.Body.Close() }()
			first := make([]byte, 1000)
			_, err = io.ReadFull(res.Body, first)
			require.NoError(t, err)
			require.Equal(t, 1, proxy.Connections())

			test.cut(proxy)
			close(more)
			rest, err := io.ReadAll(res.Body)
			require.ErrorIs(t, err, test.want)
			if test.want == nil {
				require.Len(t, rest, 1000)
			} else {
				require.Less(t, len(rest), 1000)
			}
		})
	}
}

func TestProxyVanish(t *testing.T) {
	t.Parallel()
	chattest.CheckLeaks(t)
	more := make(chan struct{})
	proxy := chattest.NewProxy(t, chattest.Serve(t, dripping(more)).URL)
	conn, err := net.Dial("tcp", strings.TrimPrefix(proxy.URL, "http://"))
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	_, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	require.NoError(t, err)
	_, err = io.ReadFull(conn, make([]byte, 1000))
	require.NoError(t, err)

	proxy.Vanish()
	close(more)
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
	_, err = io.Copy(io.Discard, conn)
	var timeout net.Error
	require.ErrorAs(t, err, &timeout)
	require.True(t, timeout.Timeout(), "nothing came, and the connection stayed open")

	proxy.Refuse(true)
	other := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	_, err = other.Get(proxy.URL)
	require.Error(t, err)
	proxy.Refuse(false)
	res, err := other.Get(proxy.URL)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
}
