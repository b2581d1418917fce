#include <ctime>
#include <cstdio>
#include <vector>
#include <algorithm>
#include "ward/he/internal/kernels.h"
using namespace ward::he::internal;
static double now(){timespec t;clock_gettime(CLOCK_THREAD_CPUTIME_ID,&t);return t.tv_sec*1e6+t.tv_nsec*1e-3;}
int main(){
 for(int lg:{12,13,14,15,16}){
  NttTable t(lg,ntt_primes(lg,49,1)[0]); size_t n=t.degree();
  Buffer a(n),b(n); for(size_t i=0;i<n;++i)a[i]=i*i;
  for(auto f:{kernels().ntt_forward,kernels().ntt_inverse}){
   std::vector<double> v; for(int r=0;r<51;++r){double s=now();for(int k=0;k<10;++k)f(t,a.data(),b.data());v.push_back((now()-s)/10);}
   std::sort(v.begin(),v.end()); printf("%d %.2f us min %.2f\n",lg,v[25],v[0]);
  }
 }
}
