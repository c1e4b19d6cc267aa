package chat

import (
	"crypto/tls"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOrigins(t *testing.T) {
	t.Parallel()
	listedOnly, err := newOriginPolicy([]string{"https://shop.example", "http://localhost:3000", "https://shop2.example:443"})
	require.NoError(t, err)
	everyone, err := newOriginPolicy([]string{"*"})
	require.NoError(t, err)
	for _, test := range []struct {
		origin, site string
		tls          bool
		want         verdict
		wantOpen     verdict // with "*"
	}{
		{"", "", false, same, same},
		{"", "none", false, same, same},
		{"", "same-origin", false, same, same},
		{"", "same-site", false, refused, open},
		{"", "cross-site", false, refused, open},
		{"http://chat.example", "", false, same, same},
		{"http://CHAT.example", "", false, same, same},
		{"http://chat.example:80", "", false, same, same},
		{"https://chat.example", "", false, same, same}, // behind a proxy that ends TLS
		{"https://chat.example", "", true, same, same},
		{"http://chat.example", "", true, refused, open},
		{"http://chat.example:8080", "", false, refused, open},
		{"https://shop.example", "cross-site", false, listed, open},
		{"https://shop.example:443", "", false, listed, open},
		{"https://shop2.example", "", false, listed, open},
		{"http://shop.example", "", false, refused, open},
		{"http://localhost:3000", "", false, listed, open},
		{"http://localhost:3001", "", false, refused, open},
		{"https://evil-shop.example", "", false, refused, open},
		{"https://shop.example.evil", "", false, refused, open},
		{"https://shop.example.", "", false, refused, open},
		{"https://shop.example@evil", "", false, refused, open},
		{"https://evil@shop.example", "", false, refused, open},
		{"https://shop.example/path", "", false, refused, open},
		{"null", "", false, refused, open},
		{"file://", "", false, refused, open},
		{"https://", "", false, refused, open},
		{"%", "", false, refused, open},
	} {
		r := httptest.NewRequest("POST", "http://chat.example/chat/api/v1/rooms", nil)
		if test.tls {
			r.TLS = &tls.ConnectionState{}
		} else {
			r.TLS = nil
		}
		if test.origin != "" {
			r.Header.Set("Origin", test.origin)
		}
		if test.site != "" {
			r.Header.Set("Sec-Fetch-Site", test.site)
		}
		require.Equal(t, test.want, listedOnly.judge(r), "%+v", test)
		require.Equal(t, test.wantOpen, everyone.judge(r), "%+v with *", test)
	}
	for _, bad := range []string{"", "shop.example", "https://shop.example/path", "ftp://shop.example", "https://u@shop.example", "https://*.example"} {
		_, err := newOriginPolicy([]string{bad})
		require.ErrorContains(t, err, "WithOrigins", bad)
	}
}
